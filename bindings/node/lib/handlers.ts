// Handlers: which function a message goes to, and what becomes of its answer or failure.
import type { Core } from './core.js'
import { encoded } from './commands.js'
import { errorOf } from './errors.js'
import { Answer, Request, Status, type Body } from './message.js'
import { OutParts } from './outparts.js'
import { PeerState, type Peer } from './peer.js'
import { E, Op, R, StatusCode } from './table.js'
import { partsOf, reply, type CameHead } from './transfer.js'

export type Handler = (request: Request) => unknown

const TURN = 64 // replies of a generator in one turn of the event loop

interface WithParts {
  route: string | undefined
  parts: CameHead[]
}

type Generator = AsyncGenerator<unknown, unknown> | globalThis.Generator<unknown, unknown>

// The request's end was not heard of yet.
const isGone = (result: number) => result === R.handle || result === R.closed || result === R.state

const isOver = (request: Request) => request.ended || request.peer.state === PeerState.closed

export class Handlers {
  private readonly numbers = new Map<string, number>([['', 0]])
  private readonly names: string[] = ['']
  private readonly handlers: (Handler | undefined)[] = []

  constructor(private readonly host: Core) {}

  /** The number under which messages to `route` will come; 0 is the default's. */
  numberOf(route: string): number {
    return this.numbers.get(route) ?? this.names.length
  }

  set(route: string, handler: Handler): void {
    const number = this.numberOf(route)
    this.numbers.set(route, number)
    this.names[number] = route
    this.handlers[number] = handler
  }

  message(peer: Peer, row: Int32Array, at: number, buffer: ArrayBuffer | undefined, extra: unknown): void {
    const number = row[at + E.tag]!
    const withParts = typeof extra === 'object' ? (extra as WithParts) : undefined
    const route = number === 0 ? String(withParts ? withParts.route : extra) : this.names[number]!
    const length = row[at + E.length]!
    const expects = row[at + E.result]!
    const request = new Request(peer, route, length === 0 ? undefined : buffer, row[at + E.offset]!, length, row[at + E.bodyType]!,
      expects, row[at + E.time]!, row[at + E.low]!, row[at + E.high]!)
    if (withParts) request.received = partsOf(this.host, peer, row, at, withParts.parts)
    const handler = this.handlers[number]
    try {
      const result = handler!(request)
      if (isThenable(result)) this.waitFor(peer, request, result)
      else this.answer(request, result)
    } catch (error) {
      this.handlerFailed(request, error)
    }
  }

  private waitFor(peer: Peer, request: Request, result: PromiseLike<unknown>): void {
    const number = (request.low >>> 0) + request.high * 2 ** 32
    if (request.expectsReply) peer.running.set(number, request)
    result.then(
      (value) => {
        peer.running.delete(number)
        try {
          this.answer(request, value)
        } catch (error) {
          this.handlerFailed(request, error)
        }
      },
      (error) => {
        peer.running.delete(number)
        this.handlerFailed(request, error)
      },
    )
  }

  private answer(request: Request, value: unknown): void {
    if (isGenerator(value)) {
      void this.serve(request, value)
      return
    }
    if (request.expectsReply && !isOver(request)) this.put(request, value)
    else if (value instanceof Answer) new OutParts(value.parts).unsent(errorOf(R.cancelled)) // nobody waits for it
    if (request.received) request.handled()
  }

  private put(request: Request, value: unknown): void {
    // The last reply stops what nobody began to read.
    if (request.received) for (const part of request.received) if (part.used) part.begin()
    const { peer, low, high } = request
    if (value === undefined) this.host.commands.put(Op.status, peer.slot, '', undefined, StatusCode.ok, low, high)
    else if (value instanceof Status) this.status(request, value)
    else if (value instanceof Answer) this.replyNow(request, value)
    else if (this.host.commands.put(Op.reply, peer.slot, '', value as Body, 0, low, high) !== R.ok) throw errorOf(R.again)
  }

  private replyNow(request: Request, value: Answer): void {
    const result = reply(this.host, request, value, false)
    if (result !== R.ok && !isGone(result)) throw errorOf(result, { peer: request.peer.id })
  }

  // Each yield is a reply. A request for one gets the first, and the generator ends there; a message that wants none lets
  // it run to its end.
  private async serve(request: Request, generator: Generator): Promise<void> {
    const { peer } = request
    const number = (request.low >>> 0) + request.high * 2 ** 32
    const stop = async () => void (await generator.return?.(undefined))
    request.onEnd = () => {
      stop().catch((error) => this.host.report(error))
      for (const resolve of peer.rooms.splice(0)) resolve()
    }
    if (request.expectsReply) peer.running.set(number, request)
    try {
      for (let count = 1; !isOver(request); count++) {
        const { value, done } = await generator.next()
        if (isOver(request)) return
        if (done) return this.answer(request, value instanceof Status ? value : undefined)
        if (request.expectsMany) await this.yielded(request, await value)
        else if (request.expectsReply) {
          request.onEnd = undefined
          this.answer(request, await value)
          return await stop()
        }
        if (count % TURN === 0) await new Promise(setImmediate) // others have their turn, too
      }
    } catch (error) {
      this.handlerFailed(request, error)
      await stop().catch((reason) => this.host.report(reason))
    } finally {
      peer.running.delete(number)
      request.onEnd = undefined
    }
  }

  private async yielded(request: Request, value: unknown): Promise<void> {
    const { peer } = request
    while (!isOver(request)) {
      const result = peer.blocked ? R.again : reply(this.host, request, value, true)
      if (result === R.ok || isGone(result)) return
      // `limit`: as many of its parts are open as may be; it goes on when one of them ends.
      if (result === R.again) peer.blocked = true
      else if (result !== R.limit) throw errorOf(result, { peer: peer.id })
      await new Promise<void>((resolve) => peer.rooms.push(resolve))
    }
  }

  private status({ peer, low, high }: Request, { code, text, details }: Status): void {
    if (details !== undefined) {
      const [bytes, type] = encoded(details)
      this.host.commands.flush() // what was sent before goes before
      const result = this.host.box.status(peer.slot, low, high, code, text, type, bytes)
      if (result !== R.ok && !isGone(result)) throw errorOf(result, { peer: peer.id, detail: 'a status with its details' })
      return
    }
    this.host.commands.put(Op.status, peer.slot, '', text === '' ? undefined : text, code, low, high)
  }

  // The reason is told here, never to the peer.
  private handlerFailed(request: Request, error: unknown): void {
    if (request.received) for (const part of request.received) part.destroy()
    const lost = isOver(request)
    if (error instanceof Status && request.expectsReply) {
      try {
        if (!lost) this.status(request, error)
        return
      } catch (refused) { // words or details that no status can carry
        error = refused
      }
    }
    if (request.expectsReply && !lost) {
      const { peer, low, high } = request
      this.host.commands.put(Op.status, peer.slot, '', undefined, StatusCode.handlerFailed, low, high)
    }
    const aborted = request.ended && (error === request.signal.reason || (error as Error | undefined)?.name === 'AbortError' ||
      request.parts.some((part) => part.stopped === error))
    if (!aborted) this.host.report(error)
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && typeof value === 'object' && typeof (value as { then?: unknown }).then === 'function'
}

export function isGenerator(value: unknown): value is Generator {
  if (value === null || typeof value !== 'object' || typeof (value as { next?: unknown }).next !== 'function') return false
  const one = value as { [Symbol.asyncIterator]?: unknown; [Symbol.iterator]?: unknown }
  return typeof one[Symbol.asyncIterator] === 'function' || typeof one[Symbol.iterator] === 'function'
}
