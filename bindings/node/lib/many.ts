// Many replies: what requestMany() gives, one reply at a time; those that are not read hold back the ones that follow.
import type { Reply } from './message.js'
import { duration } from './options.js'

/** @internal What Peer and Core do for it. */
export interface RepliesHost {
  /** The reply that waited in this place has reached its reader. */
  take(place: number): void
  /** Ends the exchange at the peer. */
  cancel(): void
  /** Durations in milliseconds; clock: 0 as it is, 1 pause, 2 resume. */
  deadlines(next: number, between: number, total: number, clock: number): void
}

/** The replies to one request, in their order. Leaving the loop cancels the request at the peer. */
export class Replies implements AsyncIterableIterator<Reply> {
  private readonly queue: { reply: Reply; place: number }[] = []
  private readonly readers: { resolve(result: IteratorResult<Reply>): void; reject(reason: unknown): void }[] = []
  private over = false
  private failure: { reason: unknown } | undefined

  /** @internal */
  constructor(private readonly host: RepliesHost) {}

  next(): Promise<IteratorResult<Reply>> {
    const next = this.queue.shift()
    if (next) {
      this.host.take(next.place)
      return Promise.resolve({ value: next.reply, done: false })
    }
    if (this.failure) {
      const { reason } = this.failure
      this.failure = undefined
      return Promise.reject(reason)
    }
    if (this.over) return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve, reject) => this.readers.push({ resolve, reject }))
  }

  /** Ends the request at the peer; replies that were not read are dropped. */
  return(): Promise<IteratorResult<Reply>> {
    this.drop()
    this.failure = undefined
    const running = !this.over
    this.end()
    if (running) this.host.cancel()
    return Promise.resolve({ value: undefined, done: true })
  }

  /**
   * How long it still waits, in milliseconds from now on: to the next reply, from each later one to the next, to the end.
   * What is left out stays as it is; Infinity is none.
   */
  setDeadlines(options: { next?: number; between?: number; total?: number }): void {
    this.host.deadlines(duration(options.next, 'next'), duration(options.between, 'between'), duration(options.total, 'total'), 0)
  }

  /** No time passes for its deadlines until resume(). */
  pause(): void {
    this.host.deadlines(0, 0, 0, 1)
  }

  resume(): void {
    this.host.deadlines(0, 0, 0, 2)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** @internal */
  reply(reply: Reply, place: number): void {
    const reader = this.readers.shift()
    if (reader) {
      this.host.take(place)
      reader.resolve({ value: reply, done: false })
    } else if (this.over) {
      this.host.take(place)
      for (const part of reply.parts) part.destroy()
    } else {
      this.queue.push({ reply, place })
    }
  }

  /** @internal No more replies come. */
  end(): void {
    this.over = true
    for (const reader of this.readers.splice(0)) reader.resolve({ value: undefined, done: true })
  }

  /** @internal It failed: told to the reader behind the replies that came before. */
  fail(reason: unknown): void {
    if (this.over) return
    this.over = true
    const reader = this.readers.shift()
    if (reader) reader.reject(reason)
    else this.failure = { reason }
    for (const other of this.readers.splice(0)) other.resolve({ value: undefined, done: true })
  }

  /** @internal Its signal was aborted: nothing that came before is of interest any more. */
  abort(reason: unknown): void {
    this.drop()
    this.fail(reason)
  }

  private drop(): void {
    for (const { reply, place } of this.queue.splice(0)) {
      this.host.take(place)
      for (const part of reply.parts) part.destroy()
    }
  }
}
