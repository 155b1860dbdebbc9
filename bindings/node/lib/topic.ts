// Topic: one join of a topic: what is published to it, who is there, and what comes from them.
import { encoded } from './commands.js'
import type { Core } from './core.js'
import { Emitter } from './emitter.js'
import { argumentError, errorOf, type SealwireError } from './errors.js'
import { check } from './known.js'
import { Message, type Body } from './message.js'
import { onAbort } from './options.js'
import { PeerState, type Peer } from './peer.js'
import { R } from './table.js'
import { accepted } from './thenable.js'

/** What becomes of messages for a member that does not keep up: the oldest or the newest are dropped, who publishes waits, or its session ends. */
export type Slow = 'dropOldest' | 'dropNewest' | 'block' | 'disconnect'

export interface TopicOptions {
  /** Of what this node publishes; of several joins of a topic the last one's counts, as with the next. Default: 'dropOldest'. */
  slow?: Slow
  /** That may wait for the slowest member, with 64 for each message; default 4 MiB. */
  queueBytes?: number
  /**
   * That each publisher may have under way or waiting here, with 64 for each message; default 256 KiB, at least 128 KiB. What is not
   * taken holds its publisher up, and then its `slow` decides. The largest of the joins of a topic counts.
   */
  creditBytes?: number
  /** Nothing is delivered here. */
  publishOnly?: boolean
  /** The last message to all that this node publishes is kept for those who join later. */
  keepLast?: boolean
  /** What publishers have kept so comes first. */
  wantLast?: boolean
  /**
   * Of `topicSecret.generate` or `topicSecret.fromPassphrase`: only who joins with the same one reads what is published here, and sees who has
   * published it. The same name with another secret, or without one, is another topic.
   */
  secret?: string
  /** Aborting leaves the topic again; loops over its messages throw the reason. */
  signal?: AbortSignal
}

export interface PublishOptions {
  /** This member alone. */
  to?: Peer
  /** A plain function: members for which it returns something true; those who only publish are not asked about. What it throws, the call throws. */
  filter?: (member: Member) => unknown
  /** Ends the wait for room. */
  signal?: AbortSignal
}

/** A peer that has joined. */
export interface Member {
  id: string
  peer: Peer
  /** It only publishes. */
  publisher: boolean
  /** It is a hub, and has joined for others that are not told of. */
  hub: boolean
}

export interface TopicEvents {
  /** Where this is listened to, messages come here, in place of loops. */
  message: TopicMessage
  /** A peer has joined. Those that are there already stand in `members`. */
  joined: Member
  /** A member has left, or is gone. */
  left: Member
  /** Messages that this node published do not reach a member: how many since the last of these events, and the bytes of their bodies; whether it is a hub, for others. */
  dropped: { peer: Peer; count: number; bytes: number; hub: boolean }
  /** A peer that came later does not let this node join. */
  refused: { peer: Peer; reason: SealwireError }
  /** There is room again, after publishNow() has thrown. */
  writable: undefined
  /** The topic is left. */
  close: undefined
}

/** What a peer has published. */
export class TopicMessage extends Message {
  /** @internal */
  constructor(
    /** The name of the topic. */
    readonly topic: string,
    /** That has sent it; `peer.id` is proved. */
    readonly peer: Peer,
    buffer: ArrayBuffer | undefined,
    offset: number,
    length: number,
    bodyType: number,
    /** How many of this publisher stand before it; counted anew when the topic is joined or its session begins. */
    readonly number: number,
    /** How many of them, directly before it, did not come as this node was too slow. */
    readonly dropped: number,
    /** It is the last one that was published before this node had joined. */
    readonly lastValue: boolean,
    /**
     * A hub has passed it on: `peer` is the hub, and without a secret so is `publisher`, as nobody proves who published it. `number`
     * counts what the hub has sent, `dropped` what its publisher did.
     */
    readonly passedOn: boolean,
    /** @internal Where it waits to be taken. */
    readonly place: number,
    private readonly signer: string | undefined, // where that is not the peer
  ) {
    super(buffer, offset, length, bodyType)
  }

  /** The id of who published it, proved: the peer's, or of a topic with a secret that of whoever has signed it, who need not be the peer. Of what a hub has passed on without a secret: the hub's. */
  get publisher(): string {
    return this.signer ?? this.peer.id
  }
}

interface Reader {
  of: Messages
  resolve(result: IteratorResult<TopicMessage>): void
  reject(reason: unknown): void
}

interface Publication {
  bytes: Uint8Array
  type: number
  options: PublishOptions | undefined
  resolve(members: number): void
  reject(reason: unknown): void
}

const TURN = 256 // what is published in one turn of the event loop

/** The messages of a topic as a loop reads them. Leaving the loop does not leave the topic. */
class Messages implements AsyncIterableIterator<TopicMessage> {
  over = false

  constructor(private readonly topic: Topic) {}

  next(): Promise<IteratorResult<TopicMessage>> {
    return this.over ? Promise.resolve({ value: undefined, done: true }) : this.topic.read(this)
  }

  return(): Promise<IteratorResult<TopicMessage>> {
    this.over = true
    this.topic.unread(this)
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

/** A topic that was joined. Each message goes to one loop, or to the listeners of `message`; what nobody takes holds its publisher up. */
export class Topic extends Emitter<TopicEvents> implements AsyncIterable<TopicMessage> {
  /** How many of the peers that were connected have agreed to the join. */
  joined = 0
  /** How many of them have refused. */
  refused = 0
  /** Why the last of them did. */
  refusal: SealwireError | undefined
  /** Settled when the topic is left. */
  readonly closed: Promise<void>

  /** @internal */
  number = 0
  /** @internal Whoever waits for the join. */
  waits: { resolve(topic: Topic): void; reject(reason: unknown): void } | undefined

  private readonly present = new Map<Peer, Member>()
  private queue: (TopicMessage | undefined)[] = []
  private head = 0
  private readonly readers: Reader[] = []
  private waiting: Publication[] = []
  private listening = false
  private leaving = false
  private freed = false // messages are taken as they come
  private aborted = false
  private over = false
  private failure: { reason: unknown } | undefined
  private given = 0
  private held = false
  private closedSettle!: () => void

  /** @internal */
  constructor(
    private readonly core: Core,
    readonly name: string,
    private readonly publishOnly: boolean,
  ) {
    super()
    this.closed = new Promise((resolve) => (this.closedSettle = resolve))
  }

  /** Who has joined, as far as `joined` and `left` have told. */
  get members(): Member[] {
    return [...this.present.values()]
  }

  /**
   * Publishes to all members: bytes, a text, anything that JSON can say, or what `encode()` gives. Settled with how many members it is
   * for; with slow 'block' it waits for room.
   */
  publish(value?: Body, options?: PublishOptions): Promise<number> {
    try {
      const [bytes, type] = this.prepare(value, options)
      const signal = options?.signal
      if (signal?.aborted) throw signal.reason
      const members = this.waiting.length > 0 ? -R.again : this.give(bytes, type, options)
      if (members === -R.again) return this.wait(bytes, type, options)
      if (members < 0) throw this.errorOf(-members)
      // Now and then others have their turn.
      return ++this.given % TURN === 0 ? new Promise((resolve) => setImmediate(resolve, members)) : Promise.resolve(members)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The same at once; throws a QueueFullError where there is no room, then a `writable` event follows. */
  publishNow(value?: Body, options?: PublishOptions): number {
    const [bytes, type] = this.prepare(value, options)
    const members = this.waiting.length > 0 ? -R.again : this.give(bytes, type, options)
    if (members < 0) throw this.errorOf(-members)
    return members
  }

  /** Leaves the topic; settled when nothing comes any more. What has come can still be read. */
  leave(): Promise<void> {
    if (!this.leaving && !this.over) {
      this.leaving = true
      this.free()
      this.core.box.leaveTopic(this.number) // the node may be closing already
      this.core.commands.hold()
      void this.closed.then(() => this.core.commands.release())
    }
    return this.closed
  }

  /** The same as leave(). */
  close(): Promise<void> {
    return this.leave()
  }

  /** The join keeps the process alive, also while nobody waits for a message. */
  ref(): this {
    if (!this.held && !this.over) {
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

  /** Messages as they come. Several loops share them. */
  [Symbol.asyncIterator](): AsyncIterableIterator<TopicMessage> {
    if (this.publishOnly) throw errorOf(R.state, { detail: `the topic ${this.name} was joined with publishOnly: nothing is delivered here` })
    return new Messages(this)
  }

  override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
    super.addEventListener(...args)
    if (args[0] !== 'message' || this.listening) return
    this.listening = true
    queueMicrotask(this.drain)
  }

  override toString(): string {
    return this.name
  }

  // ---- Publishing ----

  private prepare(value: Body, options: PublishOptions | undefined): [Uint8Array, number] {
    if (options !== undefined) {
      check(options, 'publish')
      const { to, filter } = options
      if (filter !== undefined && typeof filter !== 'function') throw argumentError('a filter is a function of the member')
      if (to !== undefined && to.state === PeerState.closed) throw to.closedError()
      if (to !== undefined && this.core.peers[to.slot] !== to) throw argumentError('to is no peer of this node')
    }
    if (this.over || this.leaving) throw this.errorOf(R.closed)
    return encoded(value)
  }

  // How many members; or minus a result.
  private give(bytes: Uint8Array, type: number, options: PublishOptions | undefined): number {
    const { to, filter } = options ?? {}
    return this.core.box.publish(this.number, type, bytes, to ? to.slot : -1, filter && this.chosen(filter))
  }

  // Asked about those who are there now: their `joined` may not have been told yet.
  private chosen(filter: (member: Member) => unknown): number[] {
    const slots: number[] = []
    const present = this.core.box.topicMembers(this.number)
    for (let i = 0; i < present.length; i += 3) {
      const peer = this.core.peers[present[i]!]
      if (!peer || present[i + 1] !== 0) continue
      const member = { id: peer.id, peer, publisher: false, hub: present[i + 2] !== 0 }
      if (accepted(filter(member))) slots.push(peer.slot)
    }
    return slots
  }

  private wait(bytes: Uint8Array, type: number, options: PublishOptions | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      const { commands } = this.core
      commands.hold()
      const end = (then: () => void) => {
        forget?.()
        commands.release()
        then()
      }
      const one: Publication = {
        bytes, type, options, resolve: (members) => end(() => resolve(members)), reject: (reason) => end(() => reject(reason)),
      }
      const forget = onAbort(options?.signal, (reason) => {
        this.waiting = this.waiting.filter((other) => other !== one)
        one.reject(reason)
      })
      this.waiting.push(one)
    })
  }

  private errorOf(result: number): SealwireError {
    return this.core.closing && (result === R.handle || result === R.closed) ? this.core.closedError() :
      errorOf(result, { detail: `the topic ${this.name}${result === R.closed ? ' was left' : ''}` })
  }

  // ---- Reading ----

  /** @internal */
  read(of: Messages): Promise<IteratorResult<TopicMessage>> {
    const message = this.shift()
    if (message) return Promise.resolve({ value: message, done: false })
    if (this.failure) {
      const { reason } = this.failure
      this.failure = undefined
      return Promise.reject(reason)
    }
    if (this.over) return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve, reject) => {
      if (this.readers.push({ of, resolve, reject }) === 1) this.core.commands.hold()
    })
  }

  /** @internal That loop reads no more. */
  unread(of: Messages): void {
    for (const reader of this.readers.filter((one) => one.of === of)) {
      this.readers.splice(this.readers.indexOf(reader), 1)
      if (this.readers.length === 0) this.core.commands.release()
      reader.resolve({ value: undefined, done: true })
    }
  }

  private shift(): TopicMessage | undefined {
    const message = this.queue[this.head]
    if (!message) return undefined
    this.queue[this.head++] = undefined
    if (this.head === this.queue.length || this.head === 4096) {
      this.queue = this.queue.slice(this.head)
      this.head = 0
    }
    if (!this.freed) this.core.take(message.place)
    return message
  }

  /** @internal What has come can be read still, and holds nothing up. */
  free(): void {
    if (this.freed) return
    for (let i = this.head; i < this.queue.length; i++) this.core.take(this.queue[i]!.place)
    this.freed = true
  }

  private readonly drain = (): void => {
    while (this.listening && this.head < this.queue.length) {
      const message = this.queue[this.head]!
      if (!this.emit('message', message)) this.listening = false
      else this.shift()
    }
  }

  // ---- What is told ----

  /** @internal */
  message(message: TopicMessage): void {
    if (this.listening && this.head === this.queue.length) {
      if (this.emit('message', message)) return this.core.take(message.place)
      this.listening = false // nobody does any more
    }
    const reader = this.readers.shift()
    if (!reader && !this.aborted) this.queue.push(message)
    if (reader || this.freed) this.core.take(message.place)
    if (!reader) return
    if (this.readers.length === 0) this.core.commands.release()
    reader.resolve({ value: message, done: false })
  }

  /** @internal */
  memberJoined(peer: Peer, publisher: boolean, hub: boolean): void {
    const member = { id: peer.id, peer, publisher, hub }
    this.present.set(peer, member)
    this.emit('joined', member)
  }

  /** @internal */
  memberLeft(peer: Peer): void {
    const member = this.present.get(peer)
    this.present.delete(peer)
    if (member) this.emit('left', member)
  }

  /** @internal The member with that id whose end was told already. */
  gone(id: string): Peer | undefined {
    for (const { peer } of this.present.values()) if (peer.id === id && peer.state === PeerState.closed) return peer
    return undefined
  }

  /** @internal */
  writable(): void {
    const waiting = this.waiting
    this.waiting = []
    for (const [i, one] of waiting.entries()) {
      if (one.options?.signal?.aborted) continue // meanwhile, by a filter: it was rejected
      try {
        const members = this.give(one.bytes, one.type, one.options)
        if (members === -R.again) {
          this.waiting = [...waiting.slice(i), ...this.waiting]
          return
        }
        if (members < 0) one.reject(this.errorOf(-members))
        else one.resolve(members)
      } catch (error) { // of its filter
        one.reject(error)
      }
    }
    this.emit('writable', undefined)
  }

  /** @internal Its signal was aborted. */
  abort(reason: unknown): void {
    if (this.over) return
    while (this.shift());
    this.aborted = true
    this.failure = { reason }
    this.endReaders()
    void this.leave()
  }

  /** @internal Its last event. `reason`: why a join fails that is waited for. */
  left(reason: SealwireError): void {
    this.free()
    this.over = true
    this.unref()
    this.waits?.reject(reason)
    this.waits = undefined
    const error = this.errorOf(R.closed)
    for (const one of this.waiting.splice(0)) one.reject(error)
    this.endReaders()
    this.present.clear()
    this.closedSettle()
    this.emit('close', undefined)
  }

  private endReaders(): void {
    if (this.readers.length > 0) this.core.commands.release()
    for (const reader of this.readers.splice(0)) {
      if (this.failure) reader.reject(this.failure.reason)
      else reader.resolve({ value: undefined, done: true })
      this.failure = undefined
    }
  }
}

// For `await using`, where the runtime has it.
const asyncDispose = (Symbol as { asyncDispose?: symbol }).asyncDispose
if (asyncDispose) Object.defineProperty(Topic.prototype, asyncDispose, { value(this: Topic) { return this.leave() }, configurable: true, writable: true })
