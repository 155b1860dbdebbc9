// How often a request is made, as C has it. The core makes the attempts.
import { argumentError } from './errors.js'
import { duration, NEVER } from './options.js'
import type { RequestOptions } from './peer_options.js'

export type Attempts = [attempts: number, backoff: number, backoffMost: number]

const MOST = 5000
export const once: Attempts = [1, 0, 0]

/** Undefined where it is made once. */
export function attemptsOf({ attempts = 1, backoff = 100, parts }: RequestOptions): Attempts | undefined {
  if (attempts === 1) return undefined
  if (parts && parts.length > 0) throw argumentError('a request with parts is made once')
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > NEVER) throw argumentError('attempts are a whole number from 1 on')
  const { first, most } = typeof backoff === 'number' ? { first: backoff, most: Math.max(backoff, MOST) } : (Object(backoff) as typeof backoff)
  if (!(first >= 0 && most >= first) || first === Infinity) {
    throw argumentError('backoff is a number of milliseconds, or a first and a longest one')
  }
  return [attempts, duration(first || Infinity, 'backoff'), Math.min(Math.ceil(most), NEVER - 1)]
}
