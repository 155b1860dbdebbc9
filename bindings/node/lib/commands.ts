// Commands: those of one turn, gathered in the memory that the native half reads, and given to it in one call.
import { Encoded, jsonOf } from './codecs.js'
import { Draft } from './draft.js'
import { argumentError } from './errors.js'
import type { Body } from './message.js'
import type { NativeNode } from './native.js'
import { BodyType, C, COMMAND_ROW, EVENT_ROW, Flag, Flush, MAX_COMMANDS, MAX_EVENTS, Op, R, TEXT_BYTES } from './table.js'

const LARGE = 64 * 1024 // a body from here on is handed over by itself
const MAX_INTERNED = 1024 // routes with a number; others are sent as text

/** Where a message goes. */
export type Target = string | Draft

/** A command that could not be run yet, or failed. */
export interface Command {
  op: Op
  peer: number
  route: Target
  body: Uint8Array
  bodyType: number
  tag: number
  low: number
  high: number
  receipt: Settle<void> | undefined
  /** Runs it where it is no row of the shared memory. */
  run?: () => R.ok | R.again
}

export interface Settle<T> {
  resolve(value: T): void
  reject(reason: unknown): void
}

export interface CommandOwner {
  /** A command failed; the buffer is free for others. */
  failed(command: Command, result: number): void
  errorFor(command: Command, result: number): Error
  /** Messages to this peer wait for room. */
  blocked(peer: number): boolean
  /** A command that waited will never be run. */
  abandon(command: Command, reason: unknown): void
  /** The receipt of a message has this number. */
  receipt(peer: number, number: number, settle: Settle<void>): void
}

const empty = new Uint8Array(0)

export function bytesOf(body: Uint8Array | ArrayBuffer): Uint8Array {
  return body instanceof Uint8Array ? body : new Uint8Array(body)
}

export class Commands {
  /** Rows of the events, for who polls. */
  readonly events: Int32Array
  /** How many of the things that keep the process alive there are. */
  holds = 0
  /** Events are being dispatched: their commands are flushed at the end, by who does it. */
  dispatching = false

  private readonly rows: Int32Array
  private readonly failures: Int32Array
  private readonly text: Buffer
  private count = 0
  private used = 0
  private scheduled = false
  private readonly numbers = new Map<string, number>()
  private readonly names = new Map<number, string>()
  private drafts: (Draft | undefined)[] = [] // by row: they live until it has been run
  private receipts: { row: number; settle: Settle<void> }[] = []

  constructor(
    private readonly native: NativeNode,
    private readonly owner: CommandOwner,
  ) {
    const memory = native.shared()
    let offset = 0
    const ints = (length: number) => {
      const array = new Int32Array(memory, offset, length)
      offset += array.byteLength
      return array
    }
    this.events = ints(EVENT_ROW * MAX_EVENTS)
    this.rows = ints(COMMAND_ROW * MAX_COMMANDS)
    this.failures = ints(2 * MAX_COMMANDS)
    this.text = Buffer.from(memory, offset, TEXT_BYTES)
  }

  /** Keeps the process alive, until as many release() have come. */
  hold(): void {
    if (this.holds++ === 0) this.schedule()
  }

  release(): void {
    if (--this.holds === 0) this.schedule()
  }

  /** The number of a route; 0 for one that is sent as text. Throws where it is no route. */
  private numberOf(route: string): number {
    const known = this.numbers.get(route)
    if (known !== undefined) return known
    if (typeof route !== 'string') throw argumentError('a route is a string')
    const size = Buffer.byteLength(route)
    if (size === 0 || size > 255 || route.includes('\0')) throw argumentError(`a route has 1 to 255 bytes and no NUL, not ${size}`)
    if (this.numbers.size >= MAX_INTERNED) return 0
    const number = this.native.intern(route)
    this.numbers.set(route, number)
    this.names.set(number, route)
    return number
  }

  /**
   * Adds a command. `route` is a draft, a text, or empty for those without one. A body that is handed over by itself is run at once: then
   * the result is `again` when it was not taken, in place of a call of the owner, and a message that is refused throws. Also `again`
   * where the commands of the turn were too many, and those before it were not taken. `more`: further bits of Flag.
   */
  put(op: Op, peer: number, route: Target, body: Body, tag: number, low: number, high: number, receipt?: Settle<void>, more = 0): R.ok | R.again {
    let number = 0
    let draft: Draft | undefined
    if (typeof route === 'object') {
      draft = this.draftOf(route)
      body = draft.fit(body)
    } else if (route !== '') {
      number = this.numberOf(route)
    }
    let bytes: Uint8Array | undefined
    let text = ''
    let flags: number = BodyType.bytes
    if (body instanceof Uint8Array) {
      bytes = body
    } else if (typeof body === 'string') {
      text = body
      flags = BodyType.utf8
    } else if (body === undefined) {
      bytes = empty
    } else if (body instanceof ArrayBuffer) {
      bytes = new Uint8Array(body)
    } else if (body instanceof Encoded) {
      bytes = body.bytes
      flags = body.bodyType
    } else {
      text = jsonOf(body)
      flags = BodyType.json
    }
    if (draft !== undefined) {
      flags = draft.typeFor(flags)
      number = draft.place(flags)
      more |= Flag.draft
    }
    return this.encode(op, peer, number, route, bytes, text, flags | more, tag, low, high, receipt)
  }

  /** A draft of this node; throws where it is none. */
  draftOf(route: Draft): Draft {
    if (!(route instanceof Draft)) throw argumentError('a route is a string, or a draft')
    if (route.commands !== this) throw argumentError('the draft is of another node')
    return route
  }

  /** Adds a command that failed with `again` once more. */
  again(command: Command): R.ok | R.again {
    if (command.run) return command.run()
    const { op, peer, route, body, bodyType, tag, low, high, receipt } = command
    try {
      const number = typeof route === 'string' ? this.numberOf(route) : this.draftOf(route).place(bodyType & Flag.typeMask)
      return this.encode(op, peer, number, route, body, '', bodyType, tag, low, high, receipt)
    } catch (error) {
      this.owner.abandon(command, error)
      return R.ok
    }
  }

  // `bytes`, or where there are none `text`, is the body; `flags` its type.
  private encode(op: Op, peer: number, number: number, route: Target, bytes: Uint8Array | undefined, text: string, flags: number,
    tag: number, low: number, high: number, receipt: Settle<void> | undefined): R.ok | R.again {
    if (bytes === undefined && text.length * 3 > LARGE) bytes = Buffer.from(text)
    const large = bytes !== undefined && bytes.length > LARGE
    const room = (bytes === undefined ? text.length * 3 : large ? 0 : bytes.length) + 256
    if (this.count === MAX_COMMANDS || this.used + room > TEXT_BYTES) {
      this.flush()
      // Those before it wait now, and it stands behind them.
      if ((op === Op.send || op === Op.request) && this.owner.blocked(peer)) return R.again
    }

    let offset = this.used
    let routeLength = 0
    if (typeof route !== 'string') {
      this.drafts[this.count] = route
    } else if (number === 0 && route !== '') {
      routeLength = this.text.write(route, offset)
      offset += routeLength
    }
    let length: number
    if (bytes === undefined) {
      length = this.text.write(text, offset)
    } else {
      length = bytes.length
      if (!large && length > 0) this.text.set(bytes, offset)
    }
    const rows = this.rows
    const at = this.count * COMMAND_ROW
    rows[at + C.op] = op
    rows[at + C.peer] = peer
    rows[at + C.route] = number
    rows[at + C.routeLength] = routeLength
    rows[at + C.offset] = offset
    rows[at + C.length] = length
    rows[at + C.flags] = flags | (receipt === undefined ? 0 : Flag.receipt) | (large ? Flag.external : 0)
    rows[at + C.tag] = tag
    rows[at + C.low] = low
    rows[at + C.high] = high
    if (receipt !== undefined) this.receipts.push({ row: this.count, settle: receipt })
    this.used = large ? offset : offset + length
    this.count++
    if (large) return this.flush(bytes)
    if (!this.scheduled && !this.dispatching) this.schedule()
    return R.ok
  }

  schedule(): void {
    if (this.scheduled || this.dispatching) return
    this.scheduled = true
    process.nextTick(this.tick)
  }

  private readonly tick = (): void => {
    this.scheduled = false
    if (!this.dispatching) this.flush()
  }

  /** Runs what was gathered; `external` is the body of the last command. */
  flush(external?: Uint8Array): R.ok | R.again {
    const count = this.count
    const flags = (this.holds > 0 ? Flush.holds : 0) | (this.dispatching ? 0 : Flush.releases)
    const failed = external ? this.native.flush(count, flags, external) : this.native.flush(count, flags)
    this.count = 0
    this.used = 0
    const drafts = this.drafts
    if (drafts.length > 0) this.drafts = []
    if (failed === 0 && this.receipts.length === 0) return R.ok
    return this.settle(failed, external ? count - 1 : -1, drafts)
  }

  // Failed commands are copied first: who hears of them may add others.
  private settle(failed: number, externalRow: number, drafts: (Draft | undefined)[]): R.ok | R.again {
    const receipts = this.receipts
    this.receipts = []
    let last: R.ok | R.again = R.ok
    let refused: Error | undefined // a message that was handed over by itself: its sender is still there to be told
    const commands: [Command, number][] = []
    const settleOf = new Map(receipts.map(({ row, settle }) => [row, settle]))
    for (let i = 0; i < failed; i++) {
      const row = this.failures[2 * i]!
      const result = this.failures[2 * i + 1]!
      const receipt = settleOf.get(row)
      if (row === externalRow && result === R.again) last = R.again
      else if (row === externalRow && this.rows[row * COMMAND_ROW + C.op] === Op.send && !receipt) refused = this.owner.errorFor(this.command(row, receipt, drafts[row]), result)
      else commands.push([this.command(row, receipt, drafts[row]), result])
      settleOf.delete(row)
    }
    for (const [row, settle] of settleOf) {
      const at = row * COMMAND_ROW
      const number = (this.rows[at + C.low]! >>> 0) + this.rows[at + C.high]! * 2 ** 32
      this.owner.receipt(this.rows[at + C.peer]!, number, settle)
    }
    for (const [command, result] of commands) this.owner.failed(command, result)
    if (refused) throw refused
    return last
  }

  private command(row: number, receipt: Settle<void> | undefined, draft: Draft | undefined): Command {
    const rows = this.rows
    const at = row * COMMAND_ROW
    const offset = rows[at + C.offset]!
    const flags = rows[at + C.flags]!
    const number = rows[at + C.route]!
    const routeLength = rows[at + C.routeLength]!
    return {
      op: rows[at + C.op]!,
      peer: rows[at + C.peer]!,
      route: draft ?? this.names.get(number) ?? this.text.toString('utf8', offset - routeLength, offset),
      body: flags & Flag.external ? empty : Uint8Array.prototype.slice.call(this.text, offset, offset + rows[at + C.length]!),
      bodyType: flags & (Flag.typeMask | Flag.many | Flag.written | Flag.draft),
      tag: rows[at + C.tag]!,
      low: rows[at + C.low]!,
      high: rows[at + C.high]!,
      receipt,
    }
  }
}

/** A command that waits for room, made from the same arguments as put(). */
export function commandOf(op: Op, peer: number, route: Target, body: Body, tag: number, low: number, receipt?: Settle<void>,
  more = 0): Command {
  const [bytes, type] = typeof route === 'string' ? encoded(body) : encodedBy(route, body)
  if (typeof route !== 'string') more |= Flag.draft
  return { op, peer, route, body: bytes, bodyType: type | more, tag, low, high: 0, receipt }
}

/** A body as it is sent, and its type. */
export function encoded(body: Body): [Uint8Array, number] {
  if (body instanceof Encoded) return [body.bytes, body.bodyType]
  const bytes = body instanceof Uint8Array || body instanceof ArrayBuffer ? bytesOf(body) : undefined
  const plain = bytes ?? (body === undefined ? empty : Buffer.from(typeof body === 'string' ? body : jsonOf(body)))
  const bodyType = bytes || body === undefined ? BodyType.bytes : typeof body === 'string' ? BodyType.utf8 : BodyType.json
  return [plain, bodyType]
}

/** The same by a draft. */
export function encodedBy(draft: Draft, body: Body): [Uint8Array, number] {
  const [bytes, type] = encoded(draft.fit(body))
  return [bytes, draft.typeFor(type)]
}
