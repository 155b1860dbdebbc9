// Parts to send: from what the caller gave to streams, and what feeds them once their message was taken.
import { pipeline, Readable } from 'node:stream'

import type { Core } from './core.js'
import { argumentError } from './errors.js'
import { File } from './file.js'
import type { NativeHead } from './native.js'
import { OutStream, type OutStreamOptions } from './part.js'
import type { Peer } from './peer.js'

/** Bytes, a text, or pieces of them as they come: a Readable, a Web ReadableStream, a generator, an array. */
export type Source = Uint8Array | ArrayBuffer | string | AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>

/** A stream or file that is sent with a message. What the program writes itself is an OutStream in its place. */
export interface OutPart extends OutStreamOptions {
  source: Source
}

/** @internal The parts of one message. */
export class OutParts {
  readonly heads: NativeHead[] = []
  readonly streams: OutStream[] = []
  private readonly sources: (Source | undefined)[] = []

  constructor(given: readonly (OutPart | OutStream)[]) {
    if (!Array.isArray(given)) throw argumentError('parts is no array')
    if (given.some((one) => one instanceof OutStream && one.given) || new Set(given).size !== given.length) {
      throw argumentError('an OutStream can be sent once')
    }
    for (const one of given as (OutPart | OutStream)[]) {
      const stream = one instanceof OutStream ? one : this.streamOf(one)
      const source = one instanceof OutStream ? (one instanceof File ? one.source : undefined) : one.source
      this.sources.push(source === undefined ? undefined : bytesOf(source))
      this.streams.push(stream)
      this.heads.push(stream.head)
    }
    for (const stream of this.streams) stream.given = true
  }

  private streamOf(part: OutPart): OutStream {
    const source = bytesOf(part?.source)
    if (source instanceof Uint8Array) return new OutStream({ size: source.length, ...part })
    const one = source as Partial<AsyncIterable<unknown> & Iterable<unknown>> | undefined
    if (typeof one?.[Symbol.asyncIterator] !== 'function' && typeof one?.[Symbol.iterator] !== 'function') {
      throw argumentError('the source of a part is bytes, a text or an iterable; what is written by hand is an OutStream')
    }
    return new OutStream(part)
  }

  /** True while something that can read other parts is still to run. */
  get feeds(): boolean {
    return this.sources.some((source, i) => !(source instanceof Uint8Array) && !this.streams[i]!.closed)
  }

  /** The message was taken: `numbers` are those of its exchange and parts. `failed` hears of sources that throw. */
  start(core: Core, peer: Peer, numbers: number[], failed: (error: Error) => void): void {
    this.streams.forEach((stream, i) => {
      if (stream instanceof File) stream.failed = failed
      stream.bind({ core, peer, low: numbers[0]!, high: numbers[1]!, number: numbers[2 + i]! })
      const source = this.sources[i]
      if (source === undefined) return
      if (source instanceof Uint8Array) {
        stream.end(source)
        return
      }
      const readable = source instanceof Readable ? source : Readable.from(source as AsyncIterable<unknown>)
      pipeline(readable, stream, (error) => {
        if (error && !stream.stopped) failed(error)
      })
    })
  }

  /** The message will never be sent. */
  unsent(error: Error): void {
    this.streams.forEach((stream, i) => {
      stream.unsent(error)
      const source = this.sources[i]
      if (source instanceof Readable) source.destroy() // without the error: nobody may listen to it
    })
  }

  /** Why the first of them was not taken to its end. */
  get stopped(): Error | undefined {
    return this.streams.find((stream) => stream.stopped)?.stopped
  }
}

function bytesOf(source: Source): Source {
  if (typeof source === 'string') return Buffer.from(source)
  return source instanceof ArrayBuffer ? new Uint8Array(source) : source
}
