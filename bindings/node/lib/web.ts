// HTTP at the port of ws:// and wss://: what the library answers, and what the program does.
import type { Core } from './core.js'
import { argumentError, SealwireError } from './errors.js'
import { duration } from './options.js'
import { E, EventType, R } from './table.js'
import { isThenable } from './thenable.js'

/** One request at a web listener. `path` is as it was sent, percent-encoded; names of headers are in small letters. */
export interface HttpRequest {
  method: string
  path: string
  query: string
  headers: [name: string, value: string][]
  body: Uint8Array
  /** The client's, tcp://host:port. */
  address: string
  secure: boolean
}

export interface HttpAnswer {
  /** Default 200. */
  status?: number
  headers?: Record<string, string> | [name: string, value: string][]
  /** A string is sent as UTF-8 text unless a Content-Type says otherwise. */
  body?: string | Uint8Array
}

/** What a request gets: bytes, a text, a status, an answer with headers; undefined is 404. */
export type HttpAnswerLike = HttpAnswer | string | Uint8Array | number | undefined | void

export interface HttpOptions {
  /** The path that answers 200, "ok". */
  health?: string
  /** The path of the node's counters, as Prometheus text. */
  metrics?: string
  /** GET and HEAD of the files of this folder; never links, hidden names, or anything outside. */
  folder?: string
  /** Whose pages may have WebSockets, 'https://example.com'; '*' all. By default those of the host that is asked. */
  origins?: string[]
  /** What the above do not answer. */
  onRequest?: (request: HttpRequest) => HttpAnswerLike | Promise<HttpAnswerLike>
  /** Each WebSocket that is asked for, on whatever path, once its origin was checked: true, or false (403) or an answer. */
  onUpgrade?: (request: HttpRequest) => boolean | HttpAnswerLike | Promise<boolean | HttpAnswerLike>
  /** Default 8 KiB. */
  maxHeadBytes?: number
  /** Default 1 MiB. */
  maxBodyBytes?: number
  /** That are no WebSockets; default 1,024. */
  maxConnections?: number
  /** Milliseconds for the head of a request; default 5,000. */
  headTimeout?: number
  /** For its body; default 30,000. */
  bodyTimeout?: number
  /** For the answer; default 30,000. */
  answerTimeout?: number
  /** Between requests; default 15,000. */
  idleTimeout?: number
}

/** @internal */
export interface NativeHttpOptions {
  requests: number
  upgrades: number
  healthPath: string
  metricsPath: string
  folder: string
  origins: string
  maxHeadBytes: number
  maxBodyBytes: number
  maxConnections: number
  headTimeout: number
  bodyTimeout: number
  answerTimeout: number
  idleTimeout: number
}

const text = (value: unknown, name: string): string => {
  if (value === undefined) return ''
  if (typeof value !== 'string') throw argumentError(`${name} is not a string`)
  return value
}

const count = (value: unknown, name: string): number => {
  if (value === undefined) return 0
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 0xffff_fffe) throw argumentError(`${name} is no whole number`)
  return value as number
}

/** @internal */
export function nativeHttp(http: HttpOptions | undefined): NativeHttpOptions | undefined {
  if (http === undefined) return undefined
  if (http === null || typeof http !== 'object') throw argumentError('http is no object')
  const { origins = [] } = http
  if (!Array.isArray(origins)) throw argumentError('origins is no array')
  for (const name of ['onRequest', 'onUpgrade'] as const) {
    if (http[name] !== undefined && typeof http[name] !== 'function') throw argumentError(`${name} is no function`)
  }
  return {
    requests: http.onRequest ? 1 : 0,
    upgrades: http.onUpgrade ? 1 : 0,
    healthPath: text(http.health, 'health'),
    metricsPath: text(http.metrics, 'metrics'),
    folder: text(http.folder, 'folder'),
    origins: origins.map((origin) => text(origin, 'an origin')).join(' '),
    maxHeadBytes: count(http.maxHeadBytes, 'maxHeadBytes'),
    maxBodyBytes: count(http.maxBodyBytes, 'maxBodyBytes'),
    maxConnections: count(http.maxConnections, 'maxConnections'),
    headTimeout: duration(http.headTimeout, 'headTimeout'),
    bodyTimeout: duration(http.bodyTimeout, 'bodyTimeout'),
    answerTimeout: duration(http.answerTimeout, 'answerTimeout'),
    idleTimeout: duration(http.idleTimeout, 'idleTimeout'),
  }
}

interface Asked extends HttpRequest {
  number: number
}

/** @internal A request waits; what the program's function returns is its answer. */
export function onHttp(core: Core, row: Int32Array, at: number, extra: unknown): void {
  const listener = row[at + E.tag]!
  const upgrade = row[at + E.type] === EventType.httpUpgrade
  const asked = extra as Asked
  const http = core.listeners.get(listener)?.http
  const { number, ...request } = asked
  const give = (made: unknown): void => {
    let answer: HttpAnswer
    if (typeof made === 'boolean' || made === undefined || made === null) {
      answer = { status: upgrade ? (made === true ? 101 : 403) : 404 }
    } else if (typeof made === 'number') answer = { status: made }
    else if (typeof made === 'string' || made instanceof Uint8Array) answer = { body: made }
    else answer = made as HttpAnswer
    const { status = 200, headers = {}, body = new Uint8Array() } = answer
    const pairs = (Array.isArray(headers) ? headers : Object.entries(headers)).map(([name, value]) => [String(name), String(value)])
    let bytes = body as Uint8Array
    if (typeof body === 'string') {
      bytes = Buffer.from(body)
      if (!pairs.some(([name]) => name!.toLowerCase() === 'content-type')) pairs.push(['Content-Type', 'text/plain; charset=utf-8'])
    }
    if (!(bytes instanceof Uint8Array)) throw argumentError('the body of an answer is a string or a Uint8Array')
    try {
      core.box.answerHttp(listener, number, status, bytes, pairs.flat())
    } catch (error) {
      if (error instanceof SealwireError && (error.result === R.handle || error.result === R.closed)) return // nobody waits
      throw error
    }
  }
  const failed = (error: unknown): void => {
    core.report(error)
    give(500)
  }
  const settle = (made: unknown): void => {
    try {
      give(made)
    } catch (error) {
      failed(error)
    }
  }
  try {
    const made: unknown = (upgrade ? http?.onUpgrade : http?.onRequest)?.(request)
    if (isThenable(made)) made.then(settle, failed)
    else settle(made)
  } catch (error) {
    failed(error)
  }
}
