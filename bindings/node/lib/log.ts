// Where the lines of a node's log go: an application's function, or an object such as console.
import { argumentError } from './errors.js'
import { native } from './native.js'
import { R } from './table.js'

export type LogLevel = 'debug' | 'info' | 'warning' | 'error'

export interface LogEntry {
  level: LogLevel
  /** The name of the result, where the line tells of a failure. */
  code: string | undefined
  text: string
  /** The short form of the peer's id, or empty. */
  peer: string
  address: string
  /** That the line is about, as the peer wrote it, or empty. */
  route: string
}

/** What takes lines by level, as `console` and most logging libraries do: the text, then the fields that the line has. */
export interface Logger {
  debug(text: string, fields: LogFields): void
  info(text: string, fields: LogFields): void
  warn(text: string, fields: LogFields): void
  error(text: string, fields: LogFields): void
}

/** Without those that are empty. */
export type LogFields = Partial<Pick<LogEntry, 'code' | 'peer' | 'address' | 'route'>>

/** @internal */
export type NativeLine = Omit<LogEntry, 'level' | 'code'> & { level: number; result: number }

/** @internal */
export function entryOf({ level, result, text, peer, address, route }: NativeLine): LogEntry {
  return { level: levels[level] ?? 'error', code: result === R.ok ? undefined : native.describeResult(result)[0], text, peer, address, route }
}

export type LogOption = LogLevel | Logger | ((entry: LogEntry) => void)

export const levels: readonly LogLevel[] = ['debug', 'info', 'warning', 'error']
const methods = { debug: 'debug', info: 'info', warning: 'warn', error: 'error' } as const

/** The level from which on there are lines, and who is called with them. */
export function readLog(log: LogOption | undefined): { level: number; onLog: ((entry: LogEntry) => void) | undefined } {
  if (typeof log === 'string' || log === undefined) {
    const level = levels.indexOf(log ?? 'info')
    if (level < 0) throw argumentError(`log: there is no level ${log}`)
    return { level, onLog: undefined }
  }
  if (typeof log === 'function') return { level: 1, onLog: log }
  if (log === null || typeof log !== 'object') throw argumentError('log is a level, a function, or an object with debug, info, warn and error')
  for (const name of Object.values(methods)) {
    if (typeof log[name] !== 'function') throw argumentError(`log: the object has no function ${name}`)
  }
  return { level: 1, onLog: (entry) => log[methods[entry.level]](entry.text, fieldsOf(entry)) }
}

function fieldsOf({ code, peer, address, route }: LogEntry): LogFields {
  return { ...(code && { code }), ...(peer && { peer }), ...(address && { address }), ...(route && { route }) }
}
