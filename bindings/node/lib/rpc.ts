// Procedure calls: functions that are exposed by name over the route `rpc`, and how a peer's are called (docs/RPC.md).
import { encode, Encoded, type BodyKind } from './codecs.js'
import { argumentError } from './errors.js'
import { isGenerator } from './handlers.js'
import type { Replies } from './many.js'
import { Status, type Request } from './message.js'
import { truth } from './options.js'
import type { Peer } from './peer.js'
import type { RequestOptions, SendOptions } from './peer_options.js'
import { isThenable } from './thenable.js'

export const RPC_ROUTE = 'rpc'
/** Status: nothing of that name is exposed. */
export const NO_FUNCTION = 4095
/** Status: the call cannot be read, or asks for one result of many. */
export const BAD_CALL = 4094

export interface ExposeOptions {
  /** The Request is the first argument. */
  withRequest?: boolean
}

type Callable = (...args: unknown[]) => unknown
interface Exposable {
  call: Callable
  withRequest: boolean
}

/** @internal The table of what peers may call. A call looks its name up here and nowhere else. */
export class Exposed {
  private readonly functions = new Map<string, Exposable>()

  add(name: string, target: unknown, options: ExposeOptions): void {
    const withRequest = truth(options.withRequest, 'withRequest')
    const found = [...named(name, target)]
    if (found.length === 0) throw argumentError(`${name} has no functions of its own`)
    for (const [one, call] of found) this.functions.set(one, { call, withRequest })
  }

  remove(name: string): void {
    for (const one of this.functions.keys()) if (one === name || one.startsWith(`${name}.`)) this.functions.delete(one)
  }

  /** The handler of the route: what it returns is the answer. */
  readonly serve = (request: Request): unknown => {
    const kind = request.type as BodyKind
    const [name, args] = callOf(request)
    const found = this.functions.get(name)
    if (!found) throw new Status(NO_FUNCTION, `no function ${name.slice(0, 200)} is exposed`)
    const { call, withRequest } = found
    try {
      const result = withRequest ? call(request, ...args) : call(...args)
      if (isThenable(result)) return result.then((value) => answer(value, kind), (error) => { throw told(error, kind) })
      if (!isGenerator(result)) return answer(result, kind)
      if (!request.expectsReply || request.expectsMany) return each(result, kind)
      void result.return?.(undefined)
    } catch (error) {
      throw told(error, kind)
    }
    throw new Status(BAD_CALL, `${name} has many results: ask for many`)
  }
}

function callOf(request: Request): [string, unknown[]] {
  let call: unknown
  try {
    if (request.type !== 'bytes' && request.type !== 'utf8') call = request.decode()
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  if (Array.isArray(call) && call.length === 2 && typeof call[0] === 'string' && Array.isArray(call[1])) return [call[0], call[1]]
  throw new Status(BAD_CALL, 'a call is [name, [arguments]] in MessagePack, CBOR or JSON')
}

// The functions of `target` with their whole names: those of an object, and those that its own class defines. What a class
// inherits, and what begins with an underscore, is not exposed.
function* named(name: string, target: unknown): Generator<[string, Callable]> {
  if (typeof name !== 'string' || name.split('.').includes('')) throw argumentError(`${name} is no name: words with dots between them`)
  if (typeof target === 'function') {
    if (/^class\b/.test(Function.prototype.toString.call(target))) throw argumentError(`${name} is a class: expose an object of it`)
    yield [name, target as Callable]
    return
  }
  if (target === null || typeof target !== 'object') throw argumentError(`${name} is neither a function nor an object`)
  const prototype = Object.getPrototypeOf(target)
  const plain = prototype === null || prototype === Object.prototype
  const own = Object.getOwnPropertyDescriptors(target) as Record<string, PropertyDescriptor>
  const all: Record<string, PropertyDescriptor> = plain ? own : { ...(Object.getOwnPropertyDescriptors(prototype) as typeof own), ...own }
  for (const [key, { value }] of Object.entries(all)) { // never a getter
    if (key.startsWith('_') || key === 'constructor') continue
    if (typeof value === 'function') {
      for (const [one, call] of named(`${name}.${key}`, value)) yield [one, call.bind(target)]
    } else if (plain && isPlain(value)) {
      yield* named(`${name}.${key}`, value)
    }
  }
}

function isPlain(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function answer(value: unknown, kind: BodyKind): unknown {
  if (value instanceof Status) return told(value, kind)
  return value === undefined || value === null ? undefined : encode(value, kind)
}

// The details of a status are said as the call was.
function told(error: unknown, kind: BodyKind): unknown {
  if (!(error instanceof Status) || error.details === undefined || error.details instanceof Encoded) return error
  return new Status(error.code, error.text, encode(error.details, kind))
}

async function* each(results: AsyncIterable<unknown> | Iterable<unknown>, kind: BodyKind): AsyncGenerator<Encoded> {
  try {
    for await (const one of results) yield encode(one, kind)
  } catch (error) {
    throw told(error, kind)
  }
}

/** What a peer exposes, called with options that hold for each call. */
export class Remote {
  /** @internal */
  constructor(
    private readonly peer: Peer,
    private readonly options: RequestOptions | undefined,
  ) {}

  /**
   * Calls a function that the peer exposes; settled with its result, or rejected with a StatusError, whose `status` is
   * `NO_FUNCTION` where nothing of that name is exposed. Needs the package `@msgpack/msgpack`.
   */
  async call(name: string, ...args: unknown[]): Promise<any> {
    const reply = await this.peer.request(RPC_ROUTE, bodyOf(name, args), this.options)
    return reply.hasBody ? reply.decode() : undefined
  }

  /** Calls a function with many results: `for await (const result of ...)`. Leaving the loop ends it at the peer. */
  callMany(name: string, ...args: unknown[]): AsyncIterableIterator<any> {
    return new Results(this.peer.requestMany(RPC_ROUTE, bodyOf(name, args), this.options))
  }

  /** Calls a function without waiting for it, as `send()` does; its failures are told at the peer alone. */
  async notify(name: string, ...args: unknown[]): Promise<void> {
    const options: SendOptions | undefined = this.options && { signal: this.options.signal }
    await this.peer.send(RPC_ROUTE, bodyOf(name, args), options)
  }
}

function bodyOf(name: string, args: unknown[]): Encoded {
  if (typeof name !== 'string') throw argumentError('the name of a function is a string')
  return encode([name, args], 'messagepack')
}

class Results implements AsyncIterableIterator<unknown> {
  constructor(private readonly replies: Replies) {}

  async next(): Promise<IteratorResult<unknown>> {
    const { value, done } = await this.replies.next()
    return done ? { value: undefined, done } : { value: value.decode(), done: false }
  }

  async return(): Promise<IteratorResult<unknown>> {
    await this.replies.return()
    return { value: undefined, done: true }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
