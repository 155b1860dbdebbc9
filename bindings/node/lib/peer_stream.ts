// PeerStream: the one stream each way of a peer of the channel shs1, as Node's own Duplex.
import { Duplex } from 'node:stream'

import type { Core } from './core.js'
import { argumentError, errorOf } from './errors.js'
import { IncompleteReadError, type AnyPart } from './part.js'
import type { Peer } from './peer.js'
import { R } from './table.js'

const WINDOW = 512 * 1024 // bytes that are asked for and have not come yet
const PIECE = 256 * 1024 // of one write, so that a large one waits for room as small ones do

const ignore = () => {} // readers and writers, pipeline() and the peer are told

/** @internal The halves of the exchange's number, and the numbers of the two parts. */
export type Streams = [low: number, high: number, out: number, into: number]

/**
 * All that a peer of the channel `shs1` has: bytes both ways. Each direction ends by itself: end() is the end of what this side
 * sends, 'end' that of what the peer sends; bytes that ended without it are the error `truncated`. destroy() breaks the connection
 * off. It keeps the process alive until both directions have ended.
 */
export class PeerStream extends Duplex {
  /** Bytes that came so far. */
  received = 0
  /** Bytes that were taken to be sent so far. */
  sent = 0

  private asked = 0
  private inOver = false
  private outOver = false
  private whole = false // the end was handed over
  private rest: Buffer | undefined
  private last = false
  private callback: ((error?: Error | null) => void) | undefined
  private readonly arrivals: (() => void)[] = []

  /** @internal */
  constructor(
    private readonly core: Core,
    private readonly peer: Peer,
    private readonly streams: Streams,
  ) {
    // Not destroyed by itself at the end of one direction, as `for await` would: the other one goes on.
    super({ allowHalfOpen: true, autoDestroy: false })
    this.on('error', ignore)
    const over = () => {
      if (this.readableEnded && this.writableFinished) this.destroy()
    }
    this.once('end', over).once('finish', over)
    const [low, high, out, into] = streams
    const none = () => {}
    const incoming: AnyPart = {
      onData: (bytes) => this.onData(bytes),
      onWritable: none,
      onProgress: none,
      onEnded: (result, code) => this.onInEnded(result, code),
    }
    const outgoing: AnyPart = { onData: none, onWritable: () => this.go(), onProgress: none, onEnded: (result, code) => this.onOutEnded(result, code) }
    peer.parts.add({ core, peer, low, high, number: into }, incoming)
    peer.parts.add({ core, peer, low, high, number: out }, outgoing)
    core.commands.hold()
    core.commands.hold()
  }

  /** The next `size` bytes; an IncompleteReadError when the stream ends before. Bytes may be put back by unshift(). */
  async readExactly(size: number): Promise<Buffer> {
    if (!Number.isSafeInteger(size) || size < 0) throw argumentError('a size is a whole number from 0 on')
    if (size === 0) return Buffer.alloc(0)
    for (;;) {
      if (this.errored) throw this.errored
      const bytes: Buffer | null = this.read(size)
      if (bytes?.length === size) return bytes
      if (bytes !== null) throw new IncompleteReadError(size, bytes)
      if (this.inOver && this.readableLength === 0) throw new IncompleteReadError(size, Buffer.alloc(0))
      if (this.destroyed) throw errorOf(R.closed)
      await new Promise<void>((resolve) => this.arrivals.push(resolve))
    }
  }

  private arrived(): void {
    for (const resolve of this.arrivals.splice(0)) resolve()
  }

  // ---- What comes ----

  override _read(): void {
    if (this.inOver || this.asked >= WINDOW / 2) return
    const [low, high, , into] = this.streams
    const more = WINDOW - this.asked
    this.asked = WINDOW
    this.core.box.partRead(this.peer.slot, low, high, into, more)
  }

  private onData(bytes: Buffer): void {
    this.asked -= bytes.length
    this.received += bytes.length
    if (this.destroyed) return
    this.push(bytes)
    this.arrived()
  }

  private onInEnded(result: number, code: number): void {
    if (this.inOver) return
    this.inOver = true
    this.core.commands.release()
    if (this.destroyed) return
    if (result === R.ok) this.push(null)
    else this.destroy(this.errorOf(result, code))
    this.arrived()
  }

  // ---- What goes ----

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.rest = chunk
    this.callback = callback
    this.go()
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.last = true
    this.callback = callback
    this.go()
  }

  // Hands over what waits, until there is no room.
  private go(): void {
    if (!this.callback || this.outOver) return
    const [low, high, out] = this.streams
    const { box } = this.core
    let result: number = R.ok
    while (this.rest && this.rest.length > 0 && result === R.ok) {
      const piece = this.rest.subarray(0, PIECE)
      result = box.partWrite(this.peer.slot, low, high, out, piece, 0, undefined)
      if (result !== R.ok) break
      this.rest = this.rest.subarray(PIECE)
      this.sent += piece.length
    }
    if (result === R.ok && this.last) result = box.partWrite(this.peer.slot, low, high, out, undefined, 1, undefined)
    // `again`: there will be room; where it is over already the event that tells why is on its way.
    if (result === R.again || result === R.handle || result === R.closed) return
    this.whole = this.last && result === R.ok
    const { callback } = this
    this.rest = undefined
    this.callback = undefined
    const error = result === R.ok ? null : this.errorOf(result, 0)
    callback(error)
    if (error) this.destroy(error)
  }

  private onOutEnded(result: number, code: number): void {
    if (this.outOver) return
    this.outOver = true
    this.core.commands.release()
    if (result !== R.ok && !this.destroyed) this.destroy(this.errorOf(result, code))
  }

  // ---- Both ----

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const [low, high, out, into] = this.streams
    // Where all is said and read there is nothing to break off, though the last of it may still be on its way.
    if (!this.inOver) this.core.box.partCancel(this.peer.slot, low, high, into, 0)
    if (!this.outOver && !this.whole) this.core.box.partCancel(this.peer.slot, low, high, out, 0)
    this.arrived()
    callback(error)
  }

  private errorOf(result: number, status: number): Error {
    return errorOf(result, { peer: this.peer.id, endpoint: this.peer.address, status, detail: 'the stream' })
  }
}
