// Router: what stands around handlers: middleware, and limits of how many run at once.
import { argumentError } from './errors.js'
import type { Request } from './message.js'

export type Handler = (request: Request) => unknown

/**
 * Stands around every handler of a node, or of a route. `await next()` is what lies within, and what the function returns, or its
 * promise, is the answer.
 */
export type Middleware = (request: Request, next: () => Promise<unknown>) => unknown

export interface RouteOptions {
  /** Middleware of this route alone, within that of the node. */
  use?: readonly Middleware[]
  /** Handlers of this route that run at once; further messages wait, and their senders with them. Default: any number. */
  maxHandlers?: number
  /** The requester learns the class and the words of what a handler throws. */
  tellErrors?: boolean
}

/** @internal A handler within its middleware, one inside the other. */
export function composed(chain: readonly Middleware[], handler: Handler): Handler {
  if (chain.length === 0) return handler
  return (request) => {
    let reached = 0
    const step = async (at: number): Promise<unknown> => {
      if (at < reached) throw argumentError('a middleware calls next() once')
      reached = at + 1
      return at < chain.length ? chain[at]!(request, () => step(at + 1)) : handler(request)
    }
    return step(0)
  }
}

export function checkedMiddleware(given: unknown): Middleware {
  if (typeof given !== 'function') throw argumentError('a middleware is a function of the request and next')
  return given as Middleware
}

/** What waits for its turn; gives a promise when it goes on for a while. */
export type Begin = () => PromiseLike<void> | undefined

/** @internal A route of which only so many handlers run at once. */
export interface Limited {
  max: number
  running: number
  queue: Begin[]
}

const TURN = 64 // handlers that may begin, and end at once, before others have their turn

/** @internal Lets messages begin as there is room, those of a route in their order. */
export class Turns {
  private running = 0
  private readonly routes: Limited[] = []
  private again = false

  constructor(private readonly max: number) {}

  /** A route whose messages wait for their turn; `max` may be Infinity, where the node's limit holds alone. */
  add(max: number): Limited {
    const route = { max, running: 0, queue: [] }
    this.routes.push(route)
    return route
  }

  wait(route: Limited, begin: Begin): void {
    route.queue.push(begin)
    this.begin(route)
  }

  private begin(route: Limited): void {
    for (let count = 0; route.queue.length > 0 && route.running < route.max && this.running < this.max; count++) {
      if (count === TURN) return this.later()
      const going = route.queue.shift()!()
      if (!going) continue
      this.running++
      route.running++
      const ended = () => {
        this.running--
        route.running--
        this.next()
      }
      going.then(ended, ended)
    }
  }

  // The routes have their turn one after the other.
  private next(): void {
    for (let i = this.routes.length; i > 0; i--) {
      const route = this.routes.shift()!
      this.routes.push(route)
      if (route.queue.length > 0) this.begin(route)
    }
  }

  private later(): void {
    if (this.again) return
    this.again = true
    setImmediate(() => {
      this.again = false
      this.next()
    })
  }
}
