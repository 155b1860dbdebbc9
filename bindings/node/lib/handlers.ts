// Handlers: which function a message goes to, and what becomes of its answer or failure.
import type { Core } from './core.js'
import { encoded } from './commands.js'
import { errorOf } from './errors.js'
import { Conversation } from './conversation.js'
import { Answer, Request, Status, type Body } from './message.js'
import { size, truth } from './options.js'
import { isThenable } from './thenable.js'
import { OutParts } from './outparts.js'
import { PeerState, type Peer } from './peer.js'
import { checkedMiddleware, composed, Turns, type Handler, type Limited, type Middleware, type RouteOptions } from './router.js'
import { E, Op, R, StatusCode } from './table.js'
import { partsOf, reply, type Came } from './transfer.js'
import { Waits } from './waits.js'

const TURN = 64 // replies of a generator in one turn of the event loop

interface WithMore extends Came {
  route: string | undefined
  converses?: boolean
}

type Generator = AsyncGenerator<unknown, unknown> | globalThis.Generator<unknown, unknown>

// The request's end was not heard of yet.
const isGone = (result: number) => result === R.handle || result === R.closed || result === R.state

const isOver = (request: Request) => request.ended || request.peer.state === PeerState.closed

export type ErrorHandler = (request: Request, error: unknown) => unknown

interface Route {
  handler: Handler
  use: readonly Middleware[]
  tellErrors: boolean
}

export class Handlers {
  /** Words of failures go to the requester, of any route. */
  tellErrors = false
  /** Called in place of the report. */
  onError: ErrorHandler | undefined
  readonly waits: Waits

  private readonly handled = new Set<string>() // routes that have a handler
  private readonly numbers = new Map<string, number>([['', 0]])
  private readonly names: string[] = ['']
  private readonly handlers: (Handler | undefined)[] = [] // within their middleware
  private readonly routes: Route[] = []
  private readonly middleware: Middleware[] = []
  private readonly limited: (Limited | undefined)[] = []
  private turns: Turns | undefined // where there are limits
  private max = Infinity

  constructor(private readonly host: Core) {
    this.waits = new Waits(host, (route, waited) => {
      if (this.handled.has(route)) return
      if (waited) return host.box.route(route, 0, this.limited[0] !== undefined) // as those that have no handler come to the default
      try {
        host.box.unroute(route)
      } catch {} // the node is closing
    })
  }

  /** The limit of all routes together. */
  limit(max: number): void {
    this.max = max
    this.turns = new Turns(max)
  }

  use(middleware: Middleware): void {
    this.middleware.push(checkedMiddleware(middleware))
    this.routes.forEach(({ handler, use }, number) => (this.handlers[number] = composed([...this.middleware, ...use], handler)))
  }

  /** The number under which messages to `route` will come; 0 is the default's. */
  numberOf(route: string): number {
    return this.numbers.get(route) ?? this.names.length
  }

  set(route: string, handler: Handler, { use = [], maxHandlers = 0, tellErrors: tells }: RouteOptions): void {
    const tellErrors = truth(tells, 'tellErrors')
    const number = this.numberOf(route)
    use.forEach(checkedMiddleware)
    const max = size(maxHandlers, 'maxHandlers') || Infinity
    let limited = this.limited[number]
    if (limited) limited.max = max // what waits goes to the new handler
    else if (max < Infinity || this.max < Infinity) limited = (this.turns ??= new Turns(Infinity)).add(max)
    this.host.box.route(route, number, limited !== undefined)
    this.handled.add(route)
    if (number === 0) {
      for (const waited of this.waits.byRoute.keys()) if (!this.handled.has(waited)) this.host.box.route(waited, 0, limited !== undefined)
    }
    this.numbers.set(route, number)
    this.names[number] = route
    this.routes[number] = { handler, use, tellErrors }
    this.handlers[number] = composed([...this.middleware, ...use], handler)
    this.limited[number] = limited
  }

  /** It has no handler any more. */
  unset(route: string): void {
    this.host.box.unroute(route)
    this.handled.delete(route)
    if (this.waits.byRoute.has(route)) this.host.box.route(route, 0, this.limited[0] !== undefined)
  }

  message(peer: Peer, row: Int32Array, at: number, buffer: ArrayBuffer | undefined, extra: unknown): void {
    const number = row[at + E.tag]!
    const withMore = typeof extra === 'object' ? (extra as WithMore) : undefined
    const route = number === 0 ? String(withMore ? withMore.route : extra) : this.names[number]!
    const length = row[at + E.length]!
    const expects = row[at + E.result]!
    const request = new Request(peer, route, length === 0 ? undefined : buffer, row[at + E.offset]!, length, row[at + E.bodyType]!,
      expects, row[at + E.time]!, row[at + E.low]!, row[at + E.high]!)
    if (withMore) this.more(request, row, at, withMore)
    const limited = this.limited[number]
    if (this.waits.byRoute.size > 0 && this.waits.offer(request)) {
      if (limited) this.host.take(row[at + E.code]!)
      this.taken(request)
    } else if (number === 0 && !this.handled.has('')) {
      if (limited) this.host.take(row[at + E.code]!)
      this.refuse(request)
    } else if (limited) this.queue(limited, number, request, row[at + E.code]!)
    else void this.handle(this.handlers[number]!, request)
  }

  // By who waited for it, and answers it by `request.reply`.
  private taken(request: Request): void {
    if (!request.expectsReply) return
    const { running } = request.peer
    const exchange = (request.low >>> 0) + request.high * 2 ** 32
    running.set(exchange, request)
    request.answer = (value) => {
      request.answer = undefined
      running.delete(exchange)
      try {
        void this.answer(request, value)
      } catch (error) {
        void this.handlerFailed(request, error)
      }
    }
  }

  // Somebody waited on its route, and nobody handles it.
  private refuse(request: Request): void {
    const { peer, low, high } = request
    if (request.expectsReply) this.host.commands.put(Op.status, peer.slot, '', undefined, StatusCode.noRoute, low, high)
    for (const part of request.parts) part.destroy()
    this.endTalk(request)
  }

  // Held by its event until it begins, and by that in its sender's window.
  private queue(limited: Limited, number: number, request: Request, place: number): void {
    const { running } = request.peer
    const exchange = (request.low >>> 0) + request.high * 2 ** 32
    if (request.expectsReply) running.set(exchange, request) // which hears there of its end
    this.turns!.wait(limited, () => {
      this.host.take(place)
      if (running.get(exchange) === request) running.delete(exchange)
      if (!request.ended) return this.handle(this.handlers[number]!, request)
      for (const part of request.parts) part.destroy()
      return undefined
    })
  }

  // A promise where it goes on for a while.
  private handle(handler: Handler, request: Request): PromiseLike<void> | undefined {
    try {
      const result = handler(request)
      return isThenable(result) ? this.waitFor(request.peer, request, result) : this.answer(request, result)
    } catch (error) {
      return this.handlerFailed(request, error)
    }
  }

  private more(request: Request, row: Int32Array, at: number, { parts, carried, converses }: WithMore): void {
    const { peer, low, high } = request
    if (parts) request.received = partsOf(this.host, peer, row, at, parts)
    request.carried = carried
    if (!converses) return
    const nothing = () => undefined
    const host = { take: nothing, cancel: nothing, deadlines: () => { throw errorOf(R.state, { detail: 'deadlines are the requester\'s' }) } }
    request.conversation = new Conversation(host, { core: this.host, peer, low, high })
    peer.talks.set((low >>> 0) + high * 2 ** 32, request.conversation)
  }

  private endTalk(request: Request): void {
    if (!request.conversation) return
    request.peer.talks.delete((request.low >>> 0) + request.high * 2 ** 32)
    request.conversation.end()
  }

  private waitFor(peer: Peer, request: Request, result: PromiseLike<unknown>): PromiseLike<void> {
    const number = (request.low >>> 0) + request.high * 2 ** 32
    if (request.expectsReply) peer.running.set(number, request)
    return result.then(
      (value) => {
        peer.running.delete(number)
        try {
          return this.answer(request, value)
        } catch (error) {
          return this.handlerFailed(request, error)
        }
      },
      (error) => {
        peer.running.delete(number)
        return this.handlerFailed(request, error)
      },
    )
  }

  private answer(request: Request, value: unknown): PromiseLike<void> | undefined {
    if (isGenerator(value)) return this.serve(request, value)
    if (request.expectsReply && !isOver(request)) this.put(request, value)
    else if (value instanceof Answer) new OutParts(value.parts).unsent(errorOf(R.cancelled)) // nobody waits for it
    if (request.received) request.handled()
    this.endTalk(request)
    return undefined
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
        if (done) return void this.answer(request, value instanceof Status ? value : undefined)
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
      this.endTalk(request)
    }
  }

  private async yielded(request: Request, value: unknown): Promise<void> {
    const { peer } = request
    while (!isOver(request)) {
      const result = peer.blocked ? R.again : reply(this.host, request, value, true)
      if (result === R.ok || isGone(result)) return
      // `too_many`: as many of its parts are open as may be; it goes on when one of them ends.
      if (result === R.again) peer.blocked = true
      else if (result !== R.tooMany) throw errorOf(result, { peer: peer.id })
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

  // The reason is told here, and to the peer only where that is asked for.
  private handlerFailed(request: Request, error: unknown, handled = false): PromiseLike<void> | undefined {
    this.endTalk(request)
    if (request.received) for (const part of request.received) part.destroy()
    const lost = isOver(request)
    if (error instanceof Status && request.expectsReply) {
      try {
        if (!lost) this.status(request, error)
        return undefined
      } catch (refused) { // words or details that no status can carry
        error = refused
      }
    }
    const aborted = request.ended && (error === request.signal.reason || (error as Error | undefined)?.name === 'AbortError' ||
      request.parts.some((part) => part.stopped === error))
    const { onError } = this
    if (onError && !handled && !aborted && !(error instanceof Status)) return this.handleError(onError, request, error)
    this.fail(request, error)
    if (!aborted) this.host.report(error, request)
    return undefined
  }

  private fail(request: Request, error: unknown): void {
    if (!request.expectsReply || isOver(request)) return
    const { peer, low, high } = request
    const route = this.routes[this.numbers.get(request.route) ?? 0]
    const tell = this.tellErrors || route?.tellErrors
    const text = tell && error instanceof Error ? cut(`${error.name}: ${error.message}`) : ''
    this.host.commands.put(Op.status, peer.slot, '', text === '' ? undefined : text, StatusCode.handlerFailed, low, high)
  }

  private async handleError(onError: ErrorHandler, request: Request, error: unknown): Promise<void> {
    try {
      const result = await onError(request, error)
      if (result === undefined) this.fail(request, error)
      else await this.answer(request, result)
    } catch (second) {
      void this.handlerFailed(request, second, true)
      if (!(second instanceof Status)) this.host.report(error, request)
    }
  }
}

// The most that a status can say.
function cut(text: string): string {
  return new TextDecoder('utf-8').decode(Buffer.from(text).subarray(0, 1024), { stream: true })
}

export function isGenerator(value: unknown): value is Generator {
  if (value === null || typeof value !== 'object' || typeof (value as { next?: unknown }).next !== 'function') return false
  const one = value as { [Symbol.asyncIterator]?: unknown; [Symbol.iterator]?: unknown }
  return typeof one[Symbol.asyncIterator] === 'function' || typeof one[Symbol.iterator] === 'function'
}
