// Peer: a remote program, known by its key, and what can be sent to it.
import { extrasOf } from './carried.js'
import { commandOf, type Command, type Settle, type Target } from './commands.js'
import { Conversation } from './conversation.js'
import type { Core } from './core.js'
import { Emitter } from './emitter.js'
import { argumentError, errorOf, type SealwireError } from './errors.js'
import { Replies, type RepliesHost } from './many.js'
import type { Body, Reply, Request } from './message.js'
import type { NativeExtras, NativeMore } from './native.js'
import { check } from './known.js'
import { duration, messageCount, onAbort, truth, type Channel } from './options.js'
import { OutParts } from './outparts.js'
import { Parts } from './part.js'
import { stageOf, type ClosePeerOptions, type PeerEvents, type RequestOptions, type SendOptions } from './peer_options.js'
import type { PeerStream } from './peer_stream.js'
import { moreOf, type Pending } from './more.js'
import { attemptsOf, once } from './retry.js'
import { Remote } from './rpc.js'
import type { PeerStats, Pong, Running } from './stats.js'
import { Expects, Flag, Op, R, ReceiptStage } from './table.js'
import { open } from './transfer.js'
import type { WaitOptions } from './waits.js'

export type { Pending }

export const enum PeerState {
  connecting,
  asking,
  open,
  streams, // likewise, without a session
  closing,
  closed,
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
  /** Of one that was replaced: the session with the same peer that stands in its place, if it is this node's. */
  instead: Peer | undefined
  /** By which channel it is connected. */
  channel: Channel = 'sealwire'
  /** Of the channel `shs1`: all that there is of it, one stream each way. */
  stream: PeerStream | undefined
  /** Its clock minus this one's, in milliseconds, when it connected. */
  clockDifference = 0

  /** Its connection broke, and the session waits for another. */
  suspended = false

  /** @internal */
  state: PeerState = PeerState.connecting
  /** @internal Requests of the peer whose handlers run, by number. */
  readonly running = new Map<number, Request>()
  /** @internal Conversations that it opened, by number. */
  readonly talks = new Map<number, Conversation>()
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
  private closedBy = 'the peer was closed'

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
    return this.state === PeerState.open || this.state === PeerState.streams
  }

  /** Settled with the reason when the session is over; undefined where this side closed it. */
  get closed(): Promise<SealwireError | undefined> {
    if (!this.closedPromise) {
      if (this.state === PeerState.closed) this.closedPromise = Promise.resolve(this.reason)
      else this.closedPromise = new Promise((resolve) => (this.closedSettle = resolve))
    }
    return this.closedPromise
  }

  /** Sends a message. Settled when it is queued, which waits for room; with `receipt` when it has come as far as that says. */
  send(route: Target, body: Body, options: SendOptions & { uuid: true }): Promise<string>
  send(route: Target, body?: Body, options?: SendOptions): Promise<void>
  send(route: Target, body?: Body, options?: SendOptions): Promise<void | string> {
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

  private sendWith(route: Target, body: Body, options: SendOptions): Promise<void | string> {
    check(options, 'send')
    const { receipt, signal, parts, uuid } = options
    if (signal?.aborted) return Promise.reject(signal.reason)
    const extras = extrasOf(options)
    if (truth(uuid, 'uuid') || extras || (parts !== undefined && parts.length > 0)) return this.sendMore(route, body, options, extras)
    const { commands } = this.core
    const stage = stageOf(receipt)
    if (stage === ReceiptStage.none) {
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
        const flag = stage === ReceiptStage.written ? Flag.written : 0
        if (!this.blocked && commands.put(Op.send, this.slot, route, body, 0, 0, 0, settle, flag) === R.ok) return
        this.blocked = true
        waits = commandOf(Op.send, this.slot, route, body, 0, 0, settle, flag)
        this.waiting.push(waits)
      } catch (error) {
        settle.reject(error)
      }
    })
  }

  // Settled when its parts have ended, where it has any, and with its receipt, where one is wanted.
  private sendMore(route: Target, body: Body, { receipt, signal, parts: given = [], uuid }: SendOptions,
    extras: NativeExtras | undefined): Promise<void | string> {
    const stage = stageOf(receipt)
    return new Promise((resolve, reject) => {
      const parts = new OutParts(given)
      let own: string | undefined
      let left = (given.length > 0 ? 1 : 0) + (receipt ? 1 : 0)
      const over = () => (parts.stopped ? reject(parts.stopped) : left-- <= 1 && resolve(own))
      const { core } = this
      const queued = (tag: number, number: number | undefined) => {
        if (uuid) own = this.uuidOf(tag, -1, true, 0)
        if (number !== undefined) {
          core.commands.hold()
          const end = (then: () => void) => (core.commands.release(), then())
          this.receipts.set(number, { resolve: () => end(over), reject: (reason) => end(() => reject(reason)) })
        }
        if (given.length > 0) return
        core.remove(tag) // nothing tells of its end
        if (!receipt) over()
      }
      const more: NativeMore = [extras, 0, 0, 0, stage, ...once]
      this.ask(Expects.none, route, body, { resolve: over, reject }, undefined, parts, 0, signal, more, queued)
    })
  }

  // What is settled by an exchange's end.
  private ask(expects: Expects, route: Target, body: Body, { resolve, reject }: Settle<Reply>, many: Replies | undefined,
    parts: OutParts | undefined, timeout: number, signal: AbortSignal | undefined, native?: NativeMore,
    sent?: (tag: number, receipt: number | undefined) => void): number {
    const core = this.core
    if (native && !parts) parts = new OutParts([])
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
        open(core, this, expects, route, body, parts, timeout, tag, native, sent && ((receipt) => sent(tag, receipt)))
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

  /** @internal Until there is room for it. */
  wait(command: Command, signal: AbortSignal | undefined): Promise<void> {
    this.blocked = true
    return new Promise((resolve, reject) => {
      this.core.commands.hold()
      this.waiting.push(command)
      const forget = onAbort(signal, (reason) => {
        if (!this.drop(command)) return
        this.core.queued.delete(command)
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
  trySend(route: Target, body?: Body): boolean {
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
  request(route: Target, body?: Body, options?: RequestOptions): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.state !== PeerState.open) throw this.closedError()
      check(options, 'request')
      const signal = options?.signal
      if (signal?.aborted) throw signal.reason
      const timeout = options === undefined ? 0 : duration(options.timeout, 'timeout')
      const parts = options?.parts && options.parts.length > 0 ? new OutParts(options.parts) : undefined
      const more = options === undefined ? undefined : moreOf(options, false, attemptsOf(options))
      this.ask(Expects.one, route, body, { resolve, reject }, undefined, parts, timeout, signal, more)
    })
  }

  /**
   * Asks for any number of replies, at once; they are read by `for await`. Leaving the loop, or the signal, cancels the
   * request at the peer. `timeout` is for the first reply. A failure is thrown behind the replies that came before it.
   */
  requestMany(route: Target, body?: Body, options: RequestOptions = {}): Replies {
    return this.many(route, body, options, moreOf(options, false), (host) => new Replies(host))
  }

  /**
   * A request in which both sides ask while it runs: `for await` gives questions and replies of the handler, `ask()` asks it.
   * Leaving the loop, or the signal, cancels it at the peer. `timeout` is until the handler first says anything.
   */
  converse(route: Target, body?: Body, options: RequestOptions = {}): Conversation {
    return this.many(route, body, options, moreOf(options, true), (host, at) => new Conversation(host, at))
  }

  /** As `node.waitFor`, for messages of this peer alone; rejected when its session ends. */
  waitFor(route: string, options: WaitOptions = {}): Promise<Request> {
    if (this.state === PeerState.closed) return Promise.reject(this.closedError())
    return this.core.handlers.waits.wait(route, options, this)
  }

  /** What runs with it now. */
  runs(): Running {
    this.core.commands.flush()
    const all = this.core.box.running(this.slot)
    if (typeof all === 'number') throw this.closedError()
    const [requests, serving, questions, queuedBytes] = all as [number, number, number, number]
    return { requests, serving, questions, queuedBytes }
  }

  /** What it has done since it connected and has to do now; until it is closed. */
  stats(): PeerStats {
    if (this.state === PeerState.closed) throw this.closedError()
    this.core.commands.flush()
    const stats = this.core.box.peerStats(this.slot)
    if (typeof stats === 'number') throw this.closedError()
    return stats
  }

  private many<T extends Replies>(route: Target, body: Body, options: RequestOptions, more: NativeMore | undefined,
    make: (host: RepliesHost, at: { core: Core; peer: Peer; low: number; high: number }) => T): T {
    if (this.state !== PeerState.open) throw this.closedError()
    const { core } = this
    check(options, 'request')
    const { signal } = options
    if (signal?.aborted) throw signal.reason
    const timeout = duration(options.timeout, 'timeout')
    const parts = options.parts && options.parts.length > 0 ? new OutParts(options.parts) : undefined
    let tag = 0
    const at = { core, peer: this as Peer, low: 0, high: -1 }
    const many: T = make(
      {
        take: (place) => place >= 0 && core.take(place),
        cancel: () => core.cancel(tag, undefined),
        deadlines: (...values) => {
          core.commands.flush()
          const result = core.box.setDeadlines(this.slot, tag, -1, ...values)
          if (result !== R.ok && result !== R.handle && result !== R.closed) throw errorOf(result, { peer: this.id })
        },
      },
      at,
    )
    const settle: Settle<Reply> = {
      resolve: () => many.end(),
      reject: (reason) => (signal?.aborted ? many.abort(reason) : many.fail(reason)),
    }
    tag = this.ask(Expects.many, route, body, settle, many, parts, timeout, signal, more)
    at.low = tag
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

  /** @internal */
  uuidOf(low: number, high: number, own: boolean, place: number): string {
    const bytes = this.core.box.uuid(this.slot, low, high, own ? 1 : 0, place)
    if (typeof bytes === 'number') throw errorOf(bytes, { peer: this.id, detail: 'its session has ended' })
    const hex = Buffer.from(bytes).toString('hex')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }

  /** Lets the session go on over another connection, dialled now: to that address (without a key), or to where it was dialled before.
   * What it has serves on until the other is up, which `resumed` tells. */
  move(address = ''): void {
    if (typeof address !== 'string') throw argumentError('address is not a string')
    if (this.state !== PeerState.open) throw this.closedError()
    this.core.box.move(this.slot, address)
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

  /**
   * Lets the messages of this peer wait, each charged to its window, so that in the end the peer waits. What belongs to exchanges that
   * run goes on. Messages that this thread has fetched already still come.
   */
  pause(): this {
    return this.resume(0)
  }

  /** Lets that many more messages come, then it is paused again; without a number the pause ends. */
  resume(messages = Infinity): this {
    this.core.box.resumePeer(this.slot, messageCount(messages))
    return this
  }

  /** Ends the session in good order; settled when it is over. */
  close(options: ClosePeerOptions = {}): Promise<void> {
    const { code = 0, text = '' } = options
    if (typeof text !== 'string' || typeof code !== 'number') return Promise.reject(argumentError('code is a number and text a string'))
    try {
      check(options, 'close')
    } catch (error) {
      return Promise.reject(error)
    }
    const over = this.closed
    if (this.connected || this.state === PeerState.connecting) {
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

  /** @internal */
  closedError(): SealwireError {
    if (this.reason) return this.reason
    if (this.state === PeerState.streams) return errorOf(R.unsupported, { peer: this.id, endpoint: this.address })
    const over = this.state === PeerState.closed
    return errorOf(over ? R.handle : R.closed, { peer: this.id, endpoint: this.address, detail: over ? this.closedBy : '' })
  }

  /** @internal The last event came. */
  over(reason: SealwireError | undefined): void {
    this.state = PeerState.closed
    this.reason = reason
    if (this.core.closing) this.closedBy = 'the node was closed'
    const error = this.closedError()
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
