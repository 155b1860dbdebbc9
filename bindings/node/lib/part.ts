// Part and OutStream: bytes that come and go with a message, as Node's own streams.
import { Readable, Writable } from 'node:stream'

import type { Core } from './core.js'
import { argumentError, errorOf } from './errors.js'
import { Status } from './message.js'
import type { NativeHead } from './native.js'
import type { Peer } from './peer.js'
import { R } from './table.js'

export type PartKind = 'stream' | 'file'

const WINDOW = 512 * 1024 // bytes of a part that are asked for and have not come yet
const PIECE = 256 * 1024 // of one write, so that a large one waits for room as small ones do
const types = ['bytes', 'utf8', 'json', 'messagepack', 'cbor']

// A part that nobody listens to is not to end the process; readers and writers, pipeline() and the peer are told.
const ignore = () => {}

const codeOf = (error: unknown) => (error instanceof Status ? error.code : 0)

/** Where a part is: its peer, the halves of its exchange's number, and its own number there. */
interface Place {
  core: Core
  peer: Peer
  low: number
  high: number
  number: number
}

/** @internal What Core does with parts of either direction. */
export interface AnyPart {
  onData(bytes: Buffer): void
  onWritable(): void
  onEnded(result: number, code: number, digest: Uint8Array | undefined): void
}

const keyOf = (low: number, high: number, number: number) => `${high}/${low}/${number}`

/** @internal */
export class Parts {
  private readonly byKey = new Map<string, AnyPart>()

  add({ low, high, number }: Place, part: AnyPart): void {
    this.byKey.set(keyOf(low, high, number), part)
  }

  get(low: number, high: number, number: number): AnyPart | undefined {
    return this.byKey.get(keyOf(low, high, number))
  }

  ended(low: number, high: number, number: number, result: number, code: number, digest: Uint8Array | undefined): void {
    const key = keyOf(low, high, number)
    const part = this.byKey.get(key)
    this.byKey.delete(key)
    part?.onEnded(result, code, digest)
  }

  over(result: number): void {
    const parts = [...this.byKey.values()]
    this.byKey.clear()
    for (const part of parts) part.onEnded(result, 0, undefined)
  }
}

/** The part ended before as many bytes had come as were to be read. */
export class IncompleteReadError extends Error {
  readonly code = 'incomplete_read'

  constructor(
    readonly expected: number,
    /** What there was. */
    readonly partial: Buffer,
  ) {
    super(`the part ended after ${partial.length} of ${expected} bytes`)
    this.name = 'IncompleteReadError'
  }
}

/**
 * A stream or file that came with a message: a Readable. Its bytes are sent as fast as they are read. destroy() tells the
 * peer that no more is wanted; with a Status it is told its code.
 */
export class Part extends Readable implements AnyPart {
  /** Data of the peer: not to be used as a path. */
  readonly name: string
  /** In bytes, where it was stated: exactly so many come. */
  readonly size: number | undefined
  readonly kind: PartKind
  /** `bytes`, `utf8`, `json`, `messagepack` or `cbor`. */
  readonly type: string
  /** What its sender says that all bytes hash to (BLAKE2b-256), if it says so; from the end on. */
  digest: Uint8Array | undefined
  /** @internal It was asked for bytes, or is over. */
  begun = false

  /** @internal Why it ended before its end. */
  stopped: Error | undefined

  private asked = 0
  private over = false

  /** @internal */
  constructor(
    private readonly place: Place,
    [name, size, kind, type]: NativeHead,
  ) {
    super()
    this.name = name
    this.size = size < 0 ? undefined : size
    this.kind = kind === 1 ? 'file' : 'stream'
    this.type = types[type] ?? 'other'
    this.on('error', ignore)
    place.peer.parts.add(place, this)
    place.core.commands.hold()
  }

  /** The next `size` bytes; an IncompleteReadError when the part ends before. Bytes may be put back by unshift(). */
  async readExactly(size: number): Promise<Buffer> {
    if (!Number.isSafeInteger(size) || size < 0) throw argumentError('a size is a whole number from 0 on')
    if (size === 0) return Buffer.alloc(0)
    this.waiting++
    try {
      for (;;) {
        if (this.errored) throw this.errored
        const bytes: Buffer | null = this.read(size)
        if (bytes?.length === size) return bytes
        if (bytes !== null) throw new IncompleteReadError(size, bytes)
        if (this.over && this.readableLength === 0) throw new IncompleteReadError(size, Buffer.alloc(0))
        if (this.destroyed) throw errorOf(R.closed)
        await new Promise<void>((resolve) => this.arrivals.push(resolve))
      }
    } finally {
      this.waiting--
    }
  }

  private waiting = 0 // calls of readExactly()

  // Not by 'readable', which comes at once where there are some bytes, but too few.
  private readonly arrivals: (() => void)[] = []

  private arrived(): void {
    for (const resolve of this.arrivals.splice(0)) resolve()
  }

  /** @internal Somebody reads it. */
  get used(): boolean {
    return this.readableFlowing !== null || this.waiting > 0 || this.listenerCount('readable') > 0
  }

  /** @internal Asks for the first bytes, so that the handler's answer does not stop it. */
  begin(): void {
    if (!this.begun) this.ask()
  }

  private ask(): void {
    if (this.over || this.asked >= WINDOW / 2) return
    const { core, peer, low, high, number } = this.place
    const more = WINDOW - this.asked
    this.begun = true
    this.asked = WINDOW
    core.box.partRead(peer.slot, low, high, number, more) // where its end is on its way, that will tell
  }

  override _read(): void {
    this.ask()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.over) {
      const { core, peer, low, high, number } = this.place
      core.box.partCancel(peer.slot, low, high, number, codeOf(error))
    }
    this.arrived()
    callback(error)
  }

  /** @internal */
  onData(bytes: Buffer): void {
    this.asked -= bytes.length
    if (this.destroyed) return
    this.push(bytes)
    this.arrived()
  }

  /** @internal */
  onWritable(): void {}

  /** @internal */
  onEnded(result: number, code: number, digest: Uint8Array | undefined): void {
    if (this.over) return
    this.over = true
    this.begun = true
    const { core, peer } = this.place
    core.commands.release()
    this.digest = digest
    if (this.destroyed) return
    if (result === R.ok) {
      this.push(null)
      this.arrived()
      return
    }
    this.stopped = errorOf(result, { peer: peer.id, status: code, detail: `the part ${this.name}`.trimEnd() })
    this.destroy(this.stopped)
  }
}

export interface OutStreamOptions {
  name?: string
  /** In bytes, if it is known before: exactly so many are to be written. */
  size?: number
  kind?: PartKind
  highWaterMark?: number
}

/**
 * A stream or file to send: a Writable, to be given in the `parts` of a message or answer, and written from then on, or
 * before. destroy() tells the peer that it is incomplete.
 */
export class OutStream extends Writable implements AnyPart {
  readonly name: string
  readonly size: number | undefined
  readonly kind: PartKind
  /** What all bytes hash to by BLAKE2b-256, for the peer: to be set before the end. */
  digest: Uint8Array | undefined
  /** @internal Why the peer, or the end of the exchange, stopped it. */
  stopped: Error | undefined
  /** @internal Part of a message that is under way or was. */
  given = false

  private place: Place | undefined
  private over = false
  private rest: Buffer | undefined
  private last = false
  private whole = false // the end was handed over
  private callback: ((error?: Error | null) => void) | undefined

  constructor(options: OutStreamOptions = {}) {
    const { name = '', size, kind = 'stream', highWaterMark } = options
    if (typeof name !== 'string') throw argumentError('name is not a string')
    if (kind !== 'stream' && kind !== 'file') throw argumentError("kind is 'stream' or 'file'")
    if (size !== undefined && (!Number.isSafeInteger(size) || size < 0)) throw argumentError('size is no whole number from 0 on')
    super(highWaterMark === undefined ? {} : { highWaterMark })
    this.name = name
    this.size = size
    this.kind = kind
    this.on('error', ignore)
  }

  /** @internal */
  get head(): NativeHead {
    return [this.name, this.size ?? -1, this.kind === 'file' ? 1 : 0, 0]
  }

  /** @internal Its message was taken. */
  bind(place: Place): void {
    this.place = place
    place.peer.parts.add(place, this)
    place.core.commands.hold()
    if (this.destroyed) this.cancel(this.errored)
    else this.go()
  }

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

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.cancel(error)
    callback(error)
  }

  private cancel(error: unknown): void {
    if (!this.place || this.over || this.whole) return
    const { core, peer, low, high, number } = this.place
    core.box.partCancel(peer.slot, low, high, number, codeOf(error))
  }

  // Hands over what waits, until there is no room.
  private go(): void {
    if (!this.place || !this.callback || this.over) return
    const { core, peer, low, high, number } = this.place
    let result: number = R.ok
    while (this.rest && this.rest.length > 0 && result === R.ok) {
      result = core.box.partWrite(peer.slot, low, high, number, this.rest.subarray(0, PIECE), 0, undefined)
      if (result === R.ok) this.rest = this.rest.subarray(PIECE)
    }
    if (result === R.ok && this.last) result = core.box.partWrite(peer.slot, low, high, number, undefined, 1, this.digest)
    // `again`: onWritable() comes; where it is over already the event that tells why is on its way.
    if (result === R.again || result === R.handle || result === R.closed) return
    this.whole = this.last && result === R.ok
    const { callback } = this
    this.rest = undefined
    this.callback = undefined
    callback(result === R.ok ? null : errorOf(result, { peer: peer.id, detail: `the part ${this.name}`.trimEnd() }))
  }

  /** @internal */
  onData(): void {}

  /** @internal */
  onWritable(): void {
    this.go()
  }

  /** @internal */
  onEnded(result: number, code: number): void {
    if (this.over) return
    this.over = true
    const { core, peer } = this.place!
    core.commands.release()
    for (const resolve of peer.rooms.splice(0)) resolve() // who waits for fewer open parts
    if (result === R.ok) return
    this.stopped = errorOf(result, { peer: peer.id, status: code, detail: `the part ${this.name}`.trimEnd() })
    this.destroy(this.stopped)
  }

  /** @internal Its message will never be sent. */
  unsent(error: Error): void {
    if (this.place) return
    this.stopped = error
    this.destroy(error)
  }
}
