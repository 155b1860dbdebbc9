// Part and OutStream: bytes that come and go with a message, as Node's own streams.
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import type { ReadableStream, WritableStream } from 'node:stream/web'

import type { Core } from './core.js'
import { argumentError, errorOf } from './errors.js'
import { Status } from './message.js'
import { native, type NativeHasher, type NativeHead } from './native.js'
import { truth } from './options.js'
import type { Peer } from './peer.js'
import { E, EventType, R } from './table.js'

export type PartKind = 'stream' | 'file'

/** Bytes so far, and in all where that is known. */
export type Progress = (bytes: number, size: number | undefined) => void

/** @internal Bytes between two calls of a Progress. */
export const STEP = 1024 * 1024

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
  /** `more`: its digest, or the particulars of what failed. */
  onEnded(result: number, code: number, more: Uint8Array | string | undefined): void
  onProgress(bytes: number): void
}

const keyOf = (low: number, high: number, number: number) => `${high}/${low}/${number}`

/** @internal */
export class Parts {
  private readonly byKey = new Map<string, AnyPart>()

  add({ low, high, number }: Place, part: AnyPart): void {
    this.byKey.set(keyOf(low, high, number), part)
  }

  /** A row that tells of one of them. */
  event(row: Int32Array, at: number, buffer: ArrayBuffer | undefined, extra: unknown): void {
    const key = keyOf(row[at + E.low]!, row[at + E.high]!, row[at + E.time]!)
    const part = this.byKey.get(key)
    switch (row[at + E.type] as EventType) {
      case EventType.partData:
        if (row[at + E.length]! > 0) part?.onData(Buffer.from(buffer!, row[at + E.offset]!, row[at + E.length]!))
        break
      case EventType.partWritable:
        part?.onWritable()
        break
      case EventType.partProgress:
        part?.onProgress(extra as number)
        break
      default:
        this.byKey.delete(key)
        part?.onEnded(row[at + E.result]!, row[at + E.code]!, extra as Uint8Array | string | undefined)
    }
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

export interface SaveOptions {
  /** Of the file; the part's, if none is given, where that is a name that a file can have on every system. */
  name?: string
  /** Bytes that are taken at most, 1 GiB if none is said; Infinity for any number. */
  maxSize?: number
  /** Also what comes without a BLAKE2b-256, such as a stream. */
  unchecked?: boolean
  /** Called after each MiB. */
  progress?: Progress
  signal?: AbortSignal
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

  /** Bytes that came so far. */
  received = 0

  private asked = 0
  private over = false
  private saving: { resolve: () => void; reject: (error: Error) => void; progress: Progress | undefined } | undefined

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

  /** Bytes that are still to come, where the size is known. */
  get left(): number | undefined {
    return this.size === undefined ? undefined : this.size - this.received
  }

  /**
   * Saves it as a file in `folder`, in place of reading it, and gives the file's path. The library writes it beside the event
   * loop, under a temporary name. It gets its own only when length and BLAKE2b-256 are those that its sender states, and
   * replaces nothing. Rejects with a FileError or too_big; then nothing of it is left.
   */
  async save(folder: string, options: SaveOptions = {}): Promise<string> {
    const { name = '', maxSize, progress, signal } = options
    const unchecked = truth(options.unchecked, 'unchecked')
    if (typeof folder !== 'string' || typeof name !== 'string') throw argumentError('folder and name are strings')
    const any = maxSize === Infinity
    if (maxSize !== undefined && !any && (!Number.isSafeInteger(maxSize) || maxSize < 1)) {
      throw argumentError('maxSize is a whole number from 1 on, or Infinity')
    }
    signal?.throwIfAborted()
    if (this.asked > 0 || this.received > 0 || this.saving) throw errorOf(R.state, { detail: 'the part is read already' })
    const { core, peer, low, high, number } = this.place
    const saved = new Promise<void>((resolve, reject) => (this.saving = { resolve, reject, progress }))
    try {
      const result = core.box.partSave(peer.slot, low, high, number, this.name, this.size ?? -1, folder, name,
        any ? -1 : (maxSize ?? 0), unchecked ? 1 : 0, STEP)
      if (result !== R.ok && this.over) this.saving!.reject(this.stopped ?? errorOf(result, { peer: peer.id }))
    } catch (error) {
      this.saving = undefined
      throw error
    }
    this.begun = true
    const abort = () => this.destroy(signal!.reason instanceof Error ? signal!.reason : undefined)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      await saved
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', abort)
    }
    return join(folder, name === '' ? this.name : name)
  }

  /** Puts bytes back, to be read next. */
  unread(bytes: Uint8Array): void {
    if (bytes.length > 0) this.unshift(bytes)
  }

  /** The same as a Web stream. */
  toWeb(): ReadableStream<Uint8Array> {
    return Readable.toWeb(this) as ReadableStream<Uint8Array>
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
    return this.saving !== undefined || this.readableFlowing !== null || this.waiting > 0 || this.listenerCount('readable') > 0
  }

  /** @internal Asks for the first bytes, so that the handler's answer does not stop it. */
  begin(): void {
    if (!this.begun) this.ask()
  }

  private ask(): void {
    if (this.over || this.saving || this.asked >= WINDOW / 2) return
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
    this.received += bytes.length
    if (this.destroyed) return
    this.push(bytes)
    this.arrived()
  }

  /** @internal */
  onWritable(): void {}

  /** @internal */
  onProgress(bytes: number): void {
    this.received = bytes
    this.saving?.progress?.(bytes, this.size)
  }

  /** @internal */
  onEnded(result: number, code: number, more: Uint8Array | string | undefined): void {
    if (this.over) return
    this.over = true
    this.begun = true
    const { core, peer } = this.place
    core.commands.release()
    if (result === R.ok) {
      if (typeof more !== 'string') this.digest = more
      if (this.saving) this.received = this.size ?? this.received
      this.saving?.resolve()
      if (this.destroyed) return
      this.push(null)
      if (this.saving) this.destroy()
      this.arrived()
      return
    }
    const detail = typeof more === 'string' ? more : `the part ${this.name}`.trimEnd()
    const error = errorOf(result, { peer: peer.id, status: code, detail })
    this.saving?.reject(error)
    if (this.destroyed) return
    this.stopped = error
    this.destroy(error)
  }
}

export interface OutStreamOptions {
  name?: string
  /** In bytes, if it is known before: exactly so many are to be written. */
  size?: number
  kind?: PartKind
  highWaterMark?: number
  /** Called after each MiB. */
  progress?: Progress
}

/**
 * A stream or file to send: a Writable, to be given in the `parts` of a message or answer, and written from then on, or
 * before. destroy() tells the peer that it is incomplete.
 */
export class OutStream extends Writable implements AnyPart {
  readonly name: string
  readonly size: number | undefined
  readonly kind: PartKind
  /** Bytes that were taken so far. */
  sent = 0
  /** What all bytes hash to by BLAKE2b-256, for the peer: to be set before the end. A file has it by itself. */
  digest: Uint8Array | undefined
  /** @internal Why the peer, or the end of the exchange, stopped it. */
  stopped: Error | undefined
  /** @internal Part of a message that is under way or was. */
  given = false

  private readonly progress: Progress | undefined
  private readonly hasher: NativeHasher | undefined
  private told = 0
  private place: Place | undefined
  private over = false
  private rest: Buffer | undefined
  private last = false
  private whole = false // the end was handed over
  private callback: ((error?: Error | null) => void) | undefined

  constructor(options: OutStreamOptions = {}) {
    const { name = '', size, kind = 'stream', highWaterMark, progress } = options
    if (typeof name !== 'string') throw argumentError('name is not a string')
    if (kind !== 'stream' && kind !== 'file') throw argumentError("kind is 'stream' or 'file'")
    if (size !== undefined && (!Number.isSafeInteger(size) || size < 0)) throw argumentError('size is no whole number from 0 on')
    super(highWaterMark === undefined ? {} : { highWaterMark })
    this.name = name
    this.size = size
    this.kind = kind
    this.progress = progress
    if (kind === 'file') this.hasher = native.newHasher()
    this.on('error', ignore)
  }

  /** The same as a Web stream. */
  toWeb(): WritableStream<Uint8Array> {
    return Writable.toWeb(this) as WritableStream<Uint8Array>
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
      const piece = this.rest.subarray(0, PIECE)
      result = core.box.partWrite(peer.slot, low, high, number, piece, 0, undefined)
      if (result !== R.ok) break
      if (this.hasher) native.hasherAdd(this.hasher, piece)
      this.rest = this.rest.subarray(PIECE)
      this.onProgress(this.sent + piece.length)
    }
    if (result === R.ok && this.last) {
      const digest = this.digest ?? (this.hasher ? native.hasherDigest(this.hasher) : undefined)
      result = core.box.partWrite(peer.slot, low, high, number, undefined, 1, digest)
    }
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
  onProgress(bytes: number): void {
    this.sent = bytes
    if (!this.progress || bytes - this.told < STEP) return
    this.told = bytes
    this.progress(bytes, this.size)
  }

  /** @internal */
  onEnded(result: number, code: number, more: Uint8Array | string | undefined): void {
    if (this.over) return
    this.over = true
    const { core, peer } = this.place!
    core.commands.release()
    for (const resolve of peer.rooms.splice(0)) resolve() // who waits for fewer open parts
    if (result === R.ok) return this.wasSent()
    const detail = typeof more === 'string' ? more : `the part ${this.name}`.trimEnd()
    this.stopped = errorOf(result, { peer: peer.id, status: code, detail })
    this.destroy(this.stopped)
  }

  /** @internal */
  protected wasSent(): void {}

  /** @internal Its message will never be sent. */
  unsent(error: Error): void {
    if (this.place) return
    this.stopped = error
    this.destroy(error)
  }
}
