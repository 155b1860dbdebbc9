// Waiting for a message to a route, beside the route's handler.
import type { Core } from './core.js'
import { argumentError, errorOf } from './errors.js'
import { check } from './known.js'
import type { Request } from './message.js'
import { duration, onAbort } from './options.js'
import type { Peer } from './peer.js'
import { R } from './table.js'
import { accepted } from './thenable.js'

export interface WaitOptions {
  /** A plain function: whether it is the one that is waited for. What it throws ends the waiting. */
  filter?: (request: Request) => unknown
  /** Milliseconds; default: for ever. */
  timeout?: number
  signal?: AbortSignal
}

interface Waiter {
  filter: ((request: Request) => unknown) | undefined
  peer: Peer | undefined
  resolve(request: Request): void
  reject(reason: unknown): void
}

/** @internal Who waits, by route, in their order. */
export class Waits {
  readonly byRoute = new Map<string, Waiter[]>()

  constructor(
    private readonly host: Core,
    /** Messages to the route are to come, or need no more, though it has no handler. */
    private readonly changed: (route: string, waited: boolean) => void,
  ) {}

  /** True where one of them takes it. */
  offer(request: Request): boolean {
    for (const waiter of [...(this.byRoute.get(request.route) ?? [])]) {
      if (waiter.peer && waiter.peer !== request.peer) continue
      try {
        if (waiter.filter && !accepted(waiter.filter(request))) continue
      } catch (error) {
        waiter.reject(error)
        continue
      }
      waiter.resolve(request)
      return true
    }
    return false
  }

  wait(route: string, options: WaitOptions, peer?: Peer): Promise<Request> {
    return new Promise((resolve, reject) => {
      check(options, 'wait')
      const { filter, timeout, signal } = options
      if (typeof route !== 'string' || route === '') throw argumentError('a route to wait for has a name')
      if (filter !== undefined && typeof filter !== 'function') throw argumentError('a filter is a function of the request')
      const ms = timeout === Infinity ? 0 : duration(timeout, 'timeout')
      if (signal?.aborted) throw signal.reason
      if (!this.byRoute.has(route)) {
        this.changed(route, true) // throws where it is no route
        this.byRoute.set(route, [])
      }
      const { commands } = this.host
      const end = (then: () => void) => {
        const waiters = this.byRoute.get(route)
        const at = waiters?.indexOf(waiter) ?? -1
        if (at < 0) return // it has ended already
        waiters!.splice(at, 1)
        if (waiters!.length === 0) {
          this.byRoute.delete(route)
          this.changed(route, false)
        }
        clearTimeout(timer)
        forget?.()
        commands.release()
        then()
      }
      const waiter: Waiter = { filter, peer, resolve: (request) => end(() => resolve(request)), reject: (reason) => end(() => reject(reason)) }
      this.byRoute.get(route)!.push(waiter)
      commands.hold()
      const late = () => waiter.reject(errorOf(R.timeout, { peer: peer?.id ?? '', detail: `no message to ${route} that was waited for` }))
      const timer = ms > 0 ? setTimeout(late, ms) : undefined
      const forget = onAbort(signal, (reason) => waiter.reject(reason))
    })
  }

  /** Nothing comes any more: from the peer, or at all. */
  lost(error: unknown, peer?: Peer): void {
    for (const waiters of [...this.byRoute.values()]) {
      for (const waiter of [...waiters]) if (!peer || waiter.peer === peer) waiter.reject(error)
    }
  }
}
