// Pipes that the program carries: a stream of Node.js takes the place of a transport.
import { Readable, Writable, type Duplex } from 'node:stream'

import { argumentError, errorOf } from './errors.js'
import type { Listener } from './listener.js'
import type { Core } from './core.js'
import type { NativeNode } from './native.js'
import type { Peer } from './peer.js'
import type { ConnectOptions } from './node.js'
import type { Settle } from './commands.js'
import { size, type ChannelOptions } from './options.js'
import { R } from './table.js'

/** A Duplex (a socket, a channel of an SSH library), or two streams: of Node.js (a child's stdout and stdin), or Web streams. */
export type Carrier = Duplex | { readable: Readable | ReadableStream; writable: Writable | WritableStream }

export interface PipeOptions {
  /** Where it leads, for people: `address` of the peer. At most 255 bytes. */
  address?: string
  /** That wait in each direction before who brings them has to; default 256 KiB. */
  bufferBytes?: number
}

export interface ConnectPipeOptions extends PipeOptions, Omit<ConnectOptions, 'keepalive' | 'tls'> {}

export interface AcceptPipeOptions extends PipeOptions, ChannelOptions {
  /** Whose limits of handshakes hold, and whose channel; default: those of a listener without any. */
  listener?: Listener
  /** Aborting ends the pipe. */
  signal?: AbortSignal
}

/** @internal */
export function bufferOf(bytes: number | undefined): number {
  if (size(bytes, 'bufferBytes') >= 2 ** 32) throw argumentError('bufferBytes is above 64 MiB')
  return bytes ?? 0
}

const MOST_WORDS = 1000 // the library takes 1,024 bytes

function wordsOf(error: unknown): string {
  const text = String(error)
  return Buffer.from(text).subarray(0, MOST_WORDS).toString().replace(/\uFFFD$/u, '')
}

function readableOf(given: unknown): Readable {
  if (given instanceof Readable || typeof (given as Readable | undefined)?.pipe === 'function') return given as Readable
  if (given instanceof ReadableStream) return Readable.fromWeb(given as Parameters<typeof Readable.fromWeb>[0])
  throw argumentError('a pipe is a Duplex, or { readable, writable }')
}

function writableOf(given: unknown): Writable {
  if (given instanceof Writable || typeof (given as Writable | undefined)?.write === 'function') return given as Writable
  if (given instanceof WritableStream) return Writable.fromWeb(given as Parameters<typeof Writable.fromWeb>[0])
  throw argumentError('a pipe is a Duplex, or { readable, writable }')
}

/** @internal What a node has of a pipe. */
export class Carried {
  /** Settled when the last byte was written. */
  readonly finished: Promise<void>
  /** Of one that is accepted: who waits for its peer. */
  accepted: Settle<Peer> | undefined
  number = 0

  private readonly box: NativeNode
  private readonly readable: Readable
  private readonly writable: Writable
  private held: Uint8Array | undefined // that was refused
  private full = false // the stream takes nothing until it has drained
  private ended = false // our direction
  private over = false
  private holds = false // the process: what held it, the stream, has gone
  private finish!: () => void

  constructor(
    private readonly core: Core,
    carrier: Carrier,
    readonly address: string,
  ) {
    this.box = core.box
    const two = carrier as { readable?: unknown; writable?: unknown } | undefined
    // A Duplex has properties of these names too, which are booleans.
    const pair = typeof two?.readable === 'object' && typeof two.writable === 'object'
    this.readable = readableOf(pair ? two.readable : carrier)
    this.writable = writableOf(pair ? two.writable : carrier)
    this.finished = new Promise((resolve) => (this.finish = resolve))
  }

  start(): void {
    const { readable, writable } = this
    writable.on('drain', () => {
      this.full = false
      this.output()
    })
    const failed = (error: unknown) => this.fail(error)
    writable.on('error', failed).on('close', () => {
      if (!this.ended) failed('the stream was closed')
      this.finish()
    })
    if (readable !== (writable as unknown)) readable.on('error', failed)
    const ended = () => {
      this.hold()
      this.box.pipeEnd(this.number)
    }
    readable.on('end', ended).on('close', () => {
      if (!readable.readableEnded) failed('the stream was closed')
    })
    readable.on('data', (data: Uint8Array | string) => this.give(typeof data === 'string' ? Buffer.from(data) : data))
    this.output()
  }

  /** There is something to take. */
  output(): void {
    while (!this.full && !this.ended) {
      const taken = this.box.pipeTake(this.number)
      if (taken === R.ok) return
      if (typeof taken === 'number') {
        if (taken === R.closed && !this.over) this.end()
        return
      }
      this.full = !this.writable.write(taken)
    }
  }

  /** There is room again for what was refused. */
  room(): void {
    const { held } = this
    this.letGo()
    if (held) this.give(held)
    if (!this.held) this.readable.resume()
  }

  /** Its last event. */
  last(rest: Uint8Array): void {
    this.over = true
    this.letGo()
    if (this.holds) this.core.commands.release()
    this.readable.resume() // what still comes is of no use
    if (rest.length > 0 && !this.ended && !this.writable.destroyed) this.writable.write(rest)
    const close = () => {
      this.finish()
      this.readable.destroy()
      this.writable.destroy()
    }
    if (this.ended && this.writable.writableFinished) return close()
    this.ended = true
    if (this.writable.destroyed) close()
    else this.writable.end(close)
  }

  fail(error: unknown): void {
    if (this.over) return this.finish()
    this.hold()
    this.box.pipeFail(this.number, wordsOf(error))
  }

  private give(data: Uint8Array): void {
    if (this.over || this.box.pipeGive(this.number, data) !== R.again) return
    this.held = data
    this.core.commands.hold() // the process: a paused stream does not
    this.readable.pause()
  }

  private letGo(): void {
    if (this.held) this.core.commands.release()
    this.held = undefined
  }

  // Until its last event.
  private hold(): void {
    if (this.holds || this.over) return
    this.holds = true
    this.core.commands.hold()
  }

  private end(): void {
    this.ended = true
    this.writable.end()
  }
}

/** @internal The pipes of a node. */
export class Pipes {
  private readonly all = new Map<number, Carried>()
  private next = 1

  get size(): number {
    return this.all.size
  }

  /** `open` tells the library of the pipe with this number; what it throws leaves nothing behind. */
  add<T>(carried: Carried, open: (number: number) => T): T {
    carried.number = this.next++
    const made = open(carried.number)
    this.all.set(carried.number, carried)
    carried.start()
    return made
  }

  get(number: number): Carried | undefined {
    return this.all.get(number)
  }

  /** When the last bytes of those that are there were written. */
  async finished(): Promise<void> {
    await Promise.all([...this.all.values()].map((carried) => carried.finished))
  }

  closed(number: number, { rest, result, detail }: PipeClosed): void {
    const carried = this.all.get(number)
    if (!carried) return
    this.all.delete(number)
    carried.accepted?.reject(errorOf(result || R.handle, { detail: detail || 'the pipe was closed', endpoint: carried.address }))
    carried.last(rest)
  }

  /** The node is over. */
  lost(): void {
    for (const number of [...this.all.keys()]) {
      this.closed(number, { rest: new Uint8Array(0), result: R.handle, detail: 'the node was closed' })
    }
  }
}

/** @internal */
export interface PipeClosed {
  rest: Uint8Array
  result: number
  detail: string
}
