// Peer: a remote program, known by its key, and what can be sent to it.
import { commandOf, type Command, type Settle } from './commands.js'
import type { Core } from './core.js'
import { Emitter } from './emitter.js'
import { argumentError, errorOf, type SealwireError } from './errors.js'
import { Replies } from './many.js'
import type { Body, Reply, Request } from './message.js'
import { duration, onAbort } from './options.js'
import { OutParts, type OutPart } from './outparts.js'
import { Parts, type OutStream } from './part.js'
import { Remote } from './rpc.js'
import { Expects, Flag, Op, R } from './table.js'
import { open } from './transfer.js'

export interface SendOptions {
  /** The promise is settled when the peer has taken the message, or when that can no more happen. */
  receipt?: boolean
  /** Gives up waiting: for room in the queue, then the message is not sent, or for the receipt. Ends its parts. */
  signal?: AbortSignal
  /** Streams and files that go with it. The promise is settled when all has been sent, rejected when the peer stops one. */
  parts?: readonly (OutPart | OutStream)[]
}

export interface RequestOptions {
  /** Milliseconds until the (first) reply; Infinity waits for ever. Default: the node's. */
  timeout?: number
  /** Aborting cancels the request at the peer too, where the handler's `request.signal` fires. */
  signal?: AbortSignal
  /** Streams and files that go with it. */
  parts?: readonly (OutPart | OutStream)[]
}

export interface ClosePeerOptions {
  /** 0, or a number from 64 to 4,095 of this application's own. */
  code?: number
  /** Words for the peer, at most 1,024 bytes. */
  text?: string
  /** How long what runs may take to end, in milliseconds; default 2,000. */
  deadline?: number
}

export interface Pong {
  /** Milliseconds. */
  roundTrip: number
  /** The peer's clock minus this one's, in milliseconds. */
  clockDifference: number
}

export interface PeerEvents {
  /** The session is over; the reason, or undefined where this side closed it. */
  close: SealwireError | undefined
  /** The peer takes no new requests. */
  closing: SealwireError
  /** There is room in the send queue again. */
  writable: undefined
}

export const enum PeerState {
  connecting,
  asking,
  open,
  closing,
  closed,
}

/** @internal A request under way. */
export interface Pending extends Settle<Reply> {
  peer: Peer
  route: string
  settled: boolean
  forget: (() => void) | undefined // of its AbortSignal
  many: Replies | undefined // of a request for any number of replies
  parts: OutParts | undefined // that go with it
  replied: boolean // it goes on for the sake of parts
}

const done = Promise.resolve()

/** A remote program. `id` is proved by the handshake. */
export class Peer extends Emitter<PeerEvents> {
  /** Its public key as text. */
  id = ''
  /** Where it is, or where it connects from. */
  address = ''
  /** What its application said with the handshake. */
  data: Uint8Array = new Uint8Array(0)
  /** True where this side connected. */
  dialled = false
  /** Its clock minus this one's, in milliseconds, when it connected. */
  clockDifference = 0

  /** @internal */
  state: PeerState = PeerState.connecting
  /** @internal Requests of the peer whose handlers run, by number. */
  readonly running = new Map<number, Request>()
  /** @internal What waits for room, in its order. */
  waiting: Command[] = []
  /** @internal Why the session ended. */
  reason: SealwireError | undefined
  /** @internal */
  readonly receipts = new Map<number, Settle<void>>()
  /** @internal */
  readonly pings = new Map<number, Settle<Pong>>()
  /** @internal Replies that wait for room. */
  readonly rooms: (() => void)[] = []
  /** @internal */
  readonly parts = new Parts()
  /** @internal */
  blocked = false
  /** @internal The session was up. */
  up = false

  private closedPromise: Promise<SealwireError | undefined> | undefined
  private closedSettle: ((reason: SealwireError | undefined) => void) | undefined
  private held = false
  private token = 0

  /** @internal */
  constructor(
    private readonly core: Core,
    /** @internal */
    readonly slot: number,
  ) {
    super()
  }

  /** The session is up and not being closed. */
  get connected(): boolean {
    return this.state === PeerState.open
  }

  /** Settled with the reason when the session is over; undefined where this side closed it. */
  get closed(): Promise<SealwireError | undefined> {
    if (!this.closedPromise) {
      if (this.state === PeerState.closed) this.closedPromise = Promise.resolve(this.reason)
      else this.closedPromise = new Promise((resolve) => (this.closedSettle = resolve))
    }
    return this.closedPromise
  }

  /** Sends a message. Settled when it is queued, which waits for room; with `receipt` when the peer has taken it. */
  send(route: string, body?: Body, options?: SendOptions): Promise<void> {
    if (this.state !== PeerState.open) return Promise.reject(this.closedError())
    try {
      if (options !== undefined) return this.sendWith(route, body, options)
      if (this.blocked) return this.wait(commandOf(Op.send, this.slot, route, body, 0, 0), undefined)
      if (this.core.commands.put(Op.send, this.slot, route, body, 0, 0, 0) === R.ok) return done
      return this.wait(commandOf(Op.send, this.slot, route, body, 0, 0), undefined)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  private sendWith(route: string, body: Body, { receipt, signal, parts }: SendOptions): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (parts !== undefined && parts.length > 0) return this.sendParts(route, body, parts, signal)
    const { commands } = this.core
    if (!receipt) {
      if (!this.blocked && commands.put(Op.send, this.slot, route, body, 0, 0, 0) === R.ok) return done
      return this.wait(commandOf(Op.send, this.slot, route, body, 0, 0), signal)
    }
    return new Promise((resolve, reject) => {
      commands.hold()
      let over = false
      const once = (then: () => void) => {
        if (over) return
        over = true
        commands.release()
        forget?.()
        then()
      }
      const settle: Settle<void> = { resolve: () => once(resolve), reject: (reason) => once(() => reject(reason)) }
      let waits: Command | undefined
      const forget = onAbort(signal, (reason) => {
        if (waits) this.drop(waits)
        settle.reject(reason)
      })
      try {
        if (!this.blocked && commands.put(Op.send, this.slot, route, body, 0, 0, 0, settle) === R.ok) return
        this.blocked = true
        waits = commandOf(Op.send, this.slot, route, body, 0, 0, settle)
        this.waiting.push(waits)
      } catch (error) {
        settle.reject(error)
      }
    })
  }

  private sendParts(route: string, body: Body, given: readonly (OutPart | OutStream)[], signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const parts = new OutParts(given)
      const sent = () => (parts.stopped ? reject(parts.stopped) : resolve())
      this.ask(Expects.none, route, body, { resolve: sent, reject }, undefined, parts, 0, signal)
    })
  }

  // What is settled by an exchange's end.
  private ask(expects: Expects, route: string, body: Body, { resolve, reject }: Settle<Reply>, many: Replies | undefined,
    parts: OutParts | undefined, timeout: number, signal: AbortSignal | undefined): number {
    const core = this.core
    const pending: Pending = { resolve, reject, peer: this, route, settled: false, forget: undefined, many, parts, replied: false }
    if (parts) {
      pending.reject = (reason) => {
        parts.unsent(reason as Error)
        reject(reason)
      }
    }
    const tag = core.add(pending)
    const more = expects === Expects.many ? Flag.many : 0
    try {
      if (parts) {
        open(core, this, expects, route, body, parts, timeout, tag)
      } else if (this.blocked || core.commands.put(Op.request, this.slot, route, body, tag, timeout | 0, 0, undefined, more) !== R.ok) {
        this.blocked = true
        core.waitForRoom(this, commandOf(Op.request, this.slot, route, body, tag, timeout | 0, undefined, more))
      }
    } catch (error) {
      core.remove(tag)
      throw error
    }
    if (signal && core.has(tag, pending)) pending.forget = onAbort(signal, (reason) => core.cancel(tag, reason))
    return tag
  }

  private wait(command: Command, signal: AbortSignal | undefined): Promise<void> {
    this.blocked = true
    return new Promise((resolve, reject) => {
      this.core.commands.hold()
      this.waiting.push(command)
      const forget = onAbort(signal, (reason) => {
        if (!this.drop(command)) return
        this.core.commands.release()
        reject(reason)
      })
      this.core.queued.set(command, {
        resolve: () => {
          forget?.()
          this.core.commands.release()
          resolve()
        },
        reject: (reason) => {
          forget?.()
          this.core.commands.release()
          reject(reason)
        },
      })
    })
  }

  private drop(command: Command): boolean {
    const at = this.waiting.indexOf(command)
    if (at >= 0) this.waiting.splice(at, 1)
    return at >= 0
  }

  /** Sends a message if there is room; false where there is none, then a `writable` event follows. */
  trySend(route: string, body?: Body): boolean {
    if (this.state !== PeerState.open) throw this.closedError()
    if (this.blocked) return false
    if (this.core.commands.put(Op.send, this.slot, route, body, 0, 0, 0) === R.ok) return true
    this.blocked = true
    return false
  }

  /**
   * Asks; settled with the one answer, or rejected with a StatusError, TimeoutError, RequestError, ... An answer with parts
   * comes before their bytes.
   */
  request(route: string, body?: Body, options?: RequestOptions): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.state !== PeerState.open) throw this.closedError()
      const signal = options?.signal
      if (signal?.aborted) throw signal.reason
      const timeout = options === undefined ? 0 : duration(options.timeout, 'timeout')
      const parts = options?.parts && options.parts.length > 0 ? new OutParts(options.parts) : undefined
      this.ask(Expects.one, route, body, { resolve, reject }, undefined, parts, timeout, signal)
    })
  }

  /**
   * Asks for any number of replies, at once; they are read by `for await`. Leaving the loop, or the signal, cancels the
   * request at the peer. `timeout` is for the first reply. A failure is thrown behind the replies that came before it.
   */
  requestMany(route: string, body?: Body, options: RequestOptions = {}): Replies {
    if (this.state !== PeerState.open) throw this.closedError()
    const { core } = this
    const { signal } = options
    if (signal?.aborted) throw signal.reason
    const timeout = duration(options.timeout, 'timeout')
    const parts = options.parts && options.parts.length > 0 ? new OutParts(options.parts) : undefined
    let tag = 0
    const many: Replies = new Replies({
      take: (place) => core.take(place),
      cancel: () => core.cancel(tag, undefined),
    })
    const settle: Settle<Reply> = {
      resolve: () => many.end(),
      reject: (reason) => (signal?.aborted ? many.abort(reason) : many.fail(reason)),
    }
    tag = this.ask(Expects.many, route, body, settle, many, parts, timeout, signal)
    return many
  }

  /** Calls a function that the peer exposes: see `Remote.call`. */
  call(name: string, ...args: unknown[]): Promise<any> {
    return this.remote().call(name, ...args)
  }

  /** Calls a function of the peer with many results: see `Remote.callMany`. */
  callMany(name: string, ...args: unknown[]): AsyncIterableIterator<any> {
    return this.remote().callMany(name, ...args)
  }

  /** Calls a function of the peer without waiting for it: see `Remote.notify`. */
  notify(name: string, ...args: unknown[]): Promise<void> {
    return this.remote().notify(name, ...args)
  }

  /** The functions that the peer exposes, called with a timeout or a signal: `peer.remote({ timeout: 500 }).call('add', 1)`. */
  remote(options?: Pick<RequestOptions, 'timeout' | 'signal'>): Remote {
    return new Remote(this, options)
  }

  /** Measures how long a message takes to the peer and back. */
  ping(options: { signal?: AbortSignal } = {}): Promise<Pong> {
    return new Promise((resolve, reject) => {
      const { signal } = options
      if (signal?.aborted) throw signal.reason
      if (this.state !== PeerState.open) throw this.closedError()
      const token = ++this.token
      this.core.box.ping(this.slot, token)
      this.core.commands.hold()
      const end = () => {
        forget?.()
        this.pings.delete(token)
        this.core.commands.release()
      }
      const forget = onAbort(signal, (reason) => (end(), reject(reason)))
      this.pings.set(token, { resolve: (pong) => (end(), resolve(pong)), reject: (reason) => (end(), reject(reason)) })
    })
  }

  /** Ends the session in good order; settled when it is over. */
  close(options: ClosePeerOptions = {}): Promise<void> {
    const { code = 0, text = '' } = options
    if (typeof text !== 'string' || typeof code !== 'number') return Promise.reject(argumentError('code is a number and text a string'))
    const over = this.closed
    if (this.state === PeerState.open || this.state === PeerState.connecting) {
      try {
        this.core.commands.flush() // what was sent before goes before
        this.core.box.closePeer(this.slot, code, text, duration(options.deadline, 'deadline'))
      } catch (error) {
        return Promise.reject(error)
      }
      this.state = PeerState.closing
      this.core.commands.hold()
      void over.then(() => this.core.commands.release())
    }
    return over.then(() => undefined)
  }

  /** The session keeps the process alive, also while nothing is under way. */
  ref(): this {
    if (!this.held && this.state !== PeerState.closed) {
      this.held = true
      this.core.commands.hold()
    }
    return this
  }

  /** Takes ref() back. */
  unref(): this {
    if (this.held) {
      this.held = false
      this.core.commands.release()
    }
    return this
  }

  override toString(): string {
    return this.id
  }

  private closedError(): SealwireError {
    return this.reason ?? errorOf(R.closed, { peer: this.id, endpoint: this.address })
  }

  /** @internal The last event came. */
  over(reason: SealwireError | undefined): void {
    const error = reason ?? errorOf(R.closed, { peer: this.id, endpoint: this.address })
    this.state = PeerState.closed
    this.reason = reason
    for (const request of this.running.values()) request.end(error.result)
    this.running.clear()
    for (const ping of [...this.pings.values()]) ping.reject(error)
    for (const receipt of [...this.receipts.values()]) receipt.reject(error)
    for (const resolve of this.rooms.splice(0)) resolve()
    this.parts.over(error.result)
    this.receipts.clear()
    const waiting = this.waiting
    this.waiting = []
    for (const command of waiting) this.core.abandon(command, error)
    this.unref()
    this.closedSettle?.(reason)
    if (this.up) this.emit('close', reason)
  }
}
