// What handlers and requesters get: Message, Request, Reply; and Status, with which a handler answers in one number.
import { metadataOf, traceOf, type Carried, type CarriedOptions } from './carried.js'
import { decode, kindOf } from './codecs.js'
import type { Conversation } from './conversation.js'
import { errorOf } from './errors.js'
import type { OutPart } from './outparts.js'
import type { OutStream, Part } from './part.js'
import type { Peer } from './peer.js'
import { BodyType, Expects, R } from './table.js'

/** What can be sent: bytes, a text, anything that JSON can say, nothing, or what `encode()` gives. */
export type Body = Uint8Array | ArrayBuffer | string | number | boolean | null | object | undefined

const noParts: Part[] = []

/** A body and how it is encoded, and the streams and files that came with it. */
export class Message {
  /** @internal */
  received: Part[] | undefined
  /** @internal */
  carried: Carried | undefined

  /** Texts by name that came with it. */
  get metadata(): Record<string, string> {
    return metadataOf(this.carried)
  }

  /** The W3C traceparent that came with it. */
  get trace(): string | undefined {
    return traceOf(this.carried)
  }

  /** Streams and files that it carries: each is to be read or destroyed. */
  get parts(): Part[] {
    return this.received ?? noParts
  }

  /** `bytes`, `utf8`, `json`, `messagepack` or `cbor`. */
  get type(): string {
    return kindOf(this.bodyType)
  }

  /** @internal */
  constructor(
    private readonly buffer: ArrayBuffer | undefined,
    private readonly offset: number,
    private readonly length: number,
    /** @internal */
    readonly bodyType: number,
  ) {}

  /**
   * The bytes: a view of memory that is shared with other messages of the same moment. Who keeps a small one for long
   * takes a copy (`body.slice()`).
   */
  get body(): Uint8Array {
    return this.buffer ? new Uint8Array(this.buffer, this.offset, this.length) : new Uint8Array(0)
  }

  /** The body as text. */
  text(): string {
    return this.buffer ? Buffer.from(this.buffer, this.offset, this.length).toString() : ''
  }

  /** The body read as JSON; throws a SyntaxError where it is none. */
  json(): any {
    return JSON.parse(this.text())
  }

  /**
   * The body by its `type`: bytes, a text, or the value that JSON, MessagePack or CBOR say; throws a SyntaxError where it is
   * none. The latter two need the packages `@msgpack/msgpack` and `cborg`.
   */
  decode(): any {
    return decode(this.body, this.bodyType)
  }
}

/** The answer to a request. */
export class Reply extends Message {
  /** @internal */
  constructor(
    buffer: ArrayBuffer | undefined,
    offset: number,
    length: number,
    bodyType: number,
    /** The words of an answer that is a status alone. */
    readonly words: string,
  ) {
    super(buffer, offset, length, bodyType)
  }

  /** It is a question in a conversation, and not answered yet. */
  get asks(): boolean {
    return false
  }

  /** @internal */
  from: Peer | undefined
  /** @internal */
  exchange = 0
  /** @internal */
  place = 0

  /** The same at both ends; to be asked for while its session lasts. */
  get uuid(): string {
    return this.from!.uuidOf(this.exchange | 0, Math.floor(this.exchange / 2 ** 32), false, this.place)
  }

  /** Of the request that this answers: what its handler sees as `request.uuid`. */
  get requestUuid(): string {
    return this.from!.uuidOf(this.exchange | 0, Math.floor(this.exchange / 2 ** 32), true, 0)
  }

  /** False for an answer that is a status alone. */
  get hasBody(): boolean {
    return this.bodyType !== BodyType.none
  }
}

/** What a handler gets: a message or a request of a peer whose key is proved. */
export class Request extends Message {
  private controller: AbortController | undefined
  /** @internal Called when its end comes before the handler's. */
  onEnd: (() => void) | undefined
  /** @internal Its end came before the handler's. */
  ended = false

  /** @internal */
  constructor(
    /** The peer that sent it; `peer.id` is proved. */
    readonly peer: Peer,
    readonly route: string,
    buffer: ArrayBuffer | undefined,
    offset: number,
    length: number,
    bodyType: number,
    /** @internal */
    readonly expects: number,
    private readonly time: number,
    /** @internal Its exchange's number, in two halves. */
    readonly low: number,
    /** @internal */
    readonly high: number,
  ) {
    super(buffer, offset, length, bodyType)
  }

  /** @internal */
  conversation: Conversation | undefined

  /** The requester may be asked while it is not answered: by `talk`. */
  get converses(): boolean {
    return this.conversation !== undefined
  }

  /** Both sides may ask: `await request.talk.ask(...)`, and `for await` for the requester's questions. */
  get talk(): Conversation {
    if (!this.conversation) throw errorOf(R.state, { peer: this.peer.id, detail: 'the requester does not converse' })
    return this.conversation
  }

  /** 16 bytes that the requester gave. */
  get idempotencyKey(): Uint8Array | undefined {
    return this.carried?.key
  }

  /** The same at both ends; to be asked for while its session lasts. */
  get uuid(): string {
    return this.peer.uuidOf(this.low, this.high, false, 0)
  }

  /** Of the reply to it, the first or a later one; questions of this side count, too. The requester sees it as `reply.uuid`. */
  replyUuid(place = 0): string {
    return this.peer.uuidOf(this.low, this.high, true, place)
  }

  /** @internal Of one that was waited for. */
  answer: ((value: unknown) => void) | undefined

  /**
   * Answers a request that came by `waitFor`, once, by anything that a handler may return. A handler answers by what it returns.
   */
  reply(value?: unknown): void {
    if (!this.answer) {
      if (this.ended) return // nobody waits for it
      throw errorOf(R.state, { peer: this.peer.id, detail: 'it expects no reply, or was answered already, or its handler answers it' })
    }
    this.answer(value)
  }

  /** False for a message that wants no answer. */
  get expectsReply(): boolean {
    return this.expects !== 0
  }

  /** True when the requester asked for any number of replies. */
  get expectsMany(): boolean {
    return this.expects === Expects.many
  }

  /** How many milliseconds the requester waits from its start on; Infinity when for ever. */
  get timeout(): number {
    const ms = this.time >>> 0
    return ms === 0xffffffff ? Infinity : ms
  }

  /** Aborted when the requester cancels, when its deadline passes, and when the peer is lost. */
  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController()
      if (this.ended) this.controller.abort(this.reason)
    }
    return this.controller.signal
  }

  /** @internal Streams of its answers that are written still. */
  feeding = 0
  private over = false

  /** @internal Its handler is done. Parts that nobody reads are stopped, so that their sender does not wait for ever. */
  handled(): void {
    this.over = true
    this.fed()
  }

  /** @internal While the streams of an answer are written its parts may be read for them. */
  fed(): void {
    if (this.feeding > 0 || !this.over) return
    for (const part of this.parts) if (!part.used) part.destroy()
  }

  private reason: unknown

  /** @internal */
  end(result: number): void {
    if (this.ended) return
    this.ended = true
    this.reason = errorOf(result === R.ok ? R.cancelled : result, { peer: this.peer.id, detail: `the request to ${this.route}` })
    this.controller?.abort(this.reason)
    this.answer = undefined
    this.onEnd?.()
  }
}

/** Returned or yielded by a handler: an answer with streams and files. */
export class Answer {
  /** Streams and files that go with it. */
  readonly parts: readonly (OutPart | OutStream)[]

  constructor(
    readonly body?: Body,
    /** @internal */
    readonly options: { parts?: readonly (OutPart | OutStream)[] } & CarriedOptions = {},
  ) {
    this.parts = options.parts ?? []
  }
}

/** Thrown or returned by a handler: answers with a number from 64 to 4,095, or 0, and up to 1,024 bytes of text. */
export class Status extends Error {
  /** `details`: what programs want to know besides, anything that can be a body; with the text at most 4,096 bytes. */
  constructor(
    readonly code: number,
    readonly text: string = '',
    readonly details?: Body,
  ) {
    super(`status ${code}${text === '' ? '' : `: ${text}`}`)
    if (!Number.isInteger(code) || (code !== 0 && (code < 64 || code > 4095))) {
      throw errorOf(R.argument, { detail: 'a status is 0 or from 64 to 4095' })
    }
    if (typeof text !== 'string' || Buffer.byteLength(text) > 1024) {
      throw errorOf(R.argument, { detail: 'the words of a status are a string of at most 1024 bytes' })
    }
    this.name = 'Status'
  }
}
