// Handlers: which function a message goes to, and what becomes of its answer or failure.
import type { Commands } from './commands.js'
import { errorOf } from './errors.js'
import { Request, Status, type Body } from './message.js'
import { PeerState, type Peer } from './peer.js'
import { E, Op, R, StatusCode } from './table.js'

export type Handler = (request: Request) => unknown

export interface HandlersHost {
  readonly commands: Commands
  report(error: unknown): void
}

export class Handlers {
  private readonly numbers = new Map<string, number>([['', 0]])
  private readonly names: string[] = ['']
  private readonly handlers: (Handler | undefined)[] = []

  constructor(private readonly host: HandlersHost) {}

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
    const route = number === 0 ? String(extra) : this.names[number]!
    const length = row[at + E.length]!
    const expects = row[at + E.result]!
    const request = new Request(peer, route, length === 0 ? undefined : buffer, row[at + E.offset]!, length, row[at + E.bodyType]!,
      expects, row[at + E.time]!, row[at + E.low]!, row[at + E.high]!)
    const handler = this.handlers[number]
    try {
      const result = handler!(request)
      if (isThenable(result)) this.waitFor(peer, request, result)
      else if (expects !== 0) this.answer(request, result)
    } catch (error) {
      this.handlerFailed(request, error)
    }
  }

  private waitFor(peer: Peer, request: Request, result: PromiseLike<unknown>): void {
    if (!request.expectsReply) {
      result.then(undefined, (error) => this.handlerFailed(request, error))
      return
    }
    const number = (request.low >>> 0) + request.high * 2 ** 32
    peer.running.set(number, request)
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
    if (request.ended || request.peer.state === PeerState.closed) return
    const { peer, low, high } = request
    if (value === undefined) this.host.commands.put(Op.status, peer.slot, '', undefined, StatusCode.ok, low, high)
    else if (value instanceof Status) this.status(request, value)
    else if (this.host.commands.put(Op.reply, peer.slot, '', value as Body, 0, low, high) !== R.ok) throw errorOf(R.again)
  }

  private status({ peer, low, high }: Request, { code, text }: Status): void {
    this.host.commands.put(Op.status, peer.slot, '', text === '' ? undefined : text, code, low, high)
  }

  // The reason is told here, never to the peer.
  private handlerFailed(request: Request, error: unknown): void {
    const lost = request.ended || request.peer.state === PeerState.closed
    if (error instanceof Status && request.expectsReply) {
      if (!lost) this.status(request, error)
      return
    }
    if (request.expectsReply && !lost) {
      const { peer, low, high } = request
      this.host.commands.put(Op.status, peer.slot, '', undefined, StatusCode.handlerFailed, low, high)
    }
    const aborted = request.ended && (error === request.signal.reason || (error as Error | undefined)?.name === 'AbortError')
    if (!aborted) this.host.report(error)
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && typeof value === 'object' && typeof (value as { then?: unknown }).then === 'function'
}
