// Conversations: exchanges in which both sides ask while they run, without limit of turns.
import { extrasOf, type CarriedOptions } from './carried.js'
import { encoded, type Settle } from './commands.js'
import type { Core } from './core.js'
import { errorOf } from './errors.js'
import { Replies, type RepliesHost } from './many.js'
import { Reply, type Body } from './message.js'
import { PeerState, type Peer } from './peer.js'
import { E, EventType, Op, R, StatusCode } from './table.js'
import { whence, type Came } from './transfer.js'

/** @internal Which exchange: its number, or with `high` -1 the number of a request of this side. */
export interface TalkPlace {
  core: Core
  peer: Peer
  low: number
  high: number
}

/** A question of the other side, or its answer to one of ours, which may ask in turn (`asks`). */
export class Said extends Reply {
  /** @internal */
  constructor(
    buffer: ArrayBuffer | undefined,
    offset: number,
    length: number,
    bodyType: number,
    words: string,
    private readonly talk: Conversation,
    private question: number, // -1: it asks nothing
  ) {
    super(buffer, offset, length, bodyType, words)
  }

  /** It is a question, and not answered yet. */
  override get asks(): boolean {
    return this.question >= 0
  }

  private open(): number {
    if (this.question < 0) throw errorOf(R.state, { detail: 'this asks nothing, or was answered already' })
    const question = this.question
    this.question = -1
    return question
  }

  /** Answers it; without a body by a status alone. */
  answer(body?: Body, options?: CarriedOptions): void {
    if (body === undefined && options === undefined) this.talk.answerStatus(this.open(), 0, '')
    else this.talk.answer(this.open(), body, options, false)
  }

  /** Answers it by a question; settled with the answer to that. */
  ask(body: Body, options?: CarriedOptions): Promise<Said> {
    return new Promise((resolve, reject) => {
      const back = this.talk.answer(this.open(), body, options, true)
      this.talk.asked.set(back, { resolve, reject })
    })
  }

  /** Answers it with a status from 64 to 4,095: the other side's `ask` is rejected with it. */
  status(code: number, text = ''): void {
    this.talk.answerStatus(this.open(), code, text)
  }
}

/**
 * Both sides ask while it runs. `for await` gives what the other side says: its questions (`said.asks`), to be answered, and to the
 * requester its replies, until it has said all. `ask()` asks it, at any time meanwhile.
 */
export class Conversation extends Replies {
  /** @internal Who waits for the answer to which question. */
  readonly asked = new Map<number, Settle<Said>>()

  /** @internal */
  constructor(
    host: RepliesHost,
    /** @internal */
    readonly at: TalkPlace,
  ) {
    super(host)
  }

  /** Asks the other side; rejected with a StatusError where it answers so, with a CancelledError at the end of the exchange. */
  async ask(body: Body, options?: CarriedOptions): Promise<Said> {
    const { core, peer } = this.at
    const extras = extrasOf(options)
    const [bytes, type] = encoded(body)
    for (;;) {
      let asked: number | number[] = R.again
      if (!this.waits()) {
        core.commands.flush() // what was sent before goes before
        asked = core.box.ask(peer.slot, this.at.low, this.at.high, type, bytes, extras)
      }
      if (typeof asked !== 'number') {
        const question = asked[0]!
        return await new Promise((resolve, reject) => this.asked.set(question, { resolve, reject }))
      }
      if (asked !== R.again || peer.state === PeerState.closed) throw errorOf(asked, { peer: peer.id, detail: 'a question' })
      peer.blocked = true
      await new Promise<void>((resolve) => peer.rooms.push(resolve))
    }
  }

  // The request itself has not found room yet.
  private waits(): boolean {
    const { peer, low, high } = this.at
    return high === -1 && peer.waiting.some((command) => command.op === Op.request && command.tag === low)
  }

  /** @internal The number of what it asks in turn. */
  answer(question: number, body: Body, options: CarriedOptions | undefined, asks: boolean): number {
    const { core, peer, low, high } = this.at
    const [bytes, type] = encoded(body)
    core.commands.flush()
    const result = core.box.answer(peer.slot, low, high, question, type, bytes, extrasOf(options), asks)
    if (typeof result !== 'number') return result[0]!
    if (result !== R.ok) throw errorOf(result, { peer: peer.id, detail: 'an answer' })
    return -1
  }

  /** @internal */
  answerStatus(question: number, code: number, text: string): void {
    const { core, peer, low, high } = this.at
    core.commands.flush()
    const result = core.box.questionStatus(peer.slot, low, high, question, code, text)
    if (result !== R.ok) throw errorOf(result, { peer: peer.id, detail: 'an answer' })
  }

  /** @internal */
  answered(question: number, answer: Said | Error): void {
    const waiting = this.asked.get(question)
    this.asked.delete(question)
    if (answer instanceof Error) waiting?.reject(answer)
    else if (waiting) waiting.resolve(answer)
    else for (const part of answer.parts) part.destroy()
  }

  /** @internal */
  override end(): void {
    super.end()
    this.leave(errorOf(R.cancelled, { peer: this.at.peer.id, detail: 'a question whose exchange has ended' }))
  }

  /** @internal */
  override fail(reason: unknown): void {
    super.fail(reason)
    this.leave(reason)
  }

  private leave(reason: unknown): void {
    for (const waiting of this.asked.values()) waiting.reject(reason)
    this.asked.clear()
  }
}

/** @internal Of a question or an answer. */
export interface Talked extends Came {
  question: number
  asks: number
  text: string
}

/** @internal A question or an answer has come; `many`: of the request of this side that it belongs to. */
export function talked(core: Core, peer: Peer, many: Replies | undefined, row: Int32Array, at: number, buffer: ArrayBuffer | undefined,
  extra: Talked): void {
  const low = row[at + E.low]!
  const high = row[at + E.high]!
  const known = row[at + E.tag]! === 0 ? peer.talks.get((low >>> 0) + high * 2 ** 32) : many
  const talk = known instanceof Conversation ? known : undefined
  const asks = row[at + E.type] === EventType.question
  if (!talk) { // its handler is done, or was none of those who listen
    if (asks) core.box.questionStatus(peer.slot, low, high, extra.question, StatusCode.handlerFailed, '')
    return
  }
  const result = row[at + E.result]!
  if (!asks && result !== R.ok) {
    const status = row[at + E.code]!
    const { text } = extra
    const detail = result === R.status ? `${status}${text === '' ? '' : ` ${text}`}` : 'a question'
    talk.answered(extra.question, errorOf(result, { peer: peer.id, endpoint: peer.address, status, text, detail }))
    return
  }
  const length = row[at + E.length]!
  const said = new Said(length === 0 ? undefined : buffer, row[at + E.offset]!, length, row[at + E.bodyType]!, extra.text ?? '', talk,
    asks ? extra.question : extra.asks)
  whence(core, said, peer, row, at, extra)
  if (asks) talk.reply(said, -1)
  else talk.answered(extra.question, said)
}
