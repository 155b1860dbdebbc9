// A request that is made again: several attempts under one idempotency key, so that its handler runs once.
import { randomBytes } from 'node:crypto'

import { argumentError, errorOf, SealwireError } from './errors.js'
import type { Reply } from './message.js'
import { duration, onAbort } from './options.js'
import type { RequestOptions } from './peer_options.js'
import { R } from './table.js'

const RETRIED = new Set(['timeout', 'limit', 'not_sent']) // it has not run, or its answer may still be waited for
const MOST = 5000
const SLACK = 5000 // that the core waits beyond all attempts: here it is decided when they end

/** The longest pause before each attempt but the first; the real one is anything from 0 to it. */
function pausesOf(attempts: number, backoff: RequestOptions['backoff'] = 100): number[] {
  const { first, most } = typeof backoff === 'number' ? { first: backoff, most: Math.max(backoff, MOST) } : backoff
  if (!Number.isInteger(attempts) || attempts < 1) throw argumentError('attempts are a whole number from 1 on')
  if (!(first >= 0 && most >= first)) throw argumentError('backoff is a number of milliseconds, or a first and a longest one')
  return Array.from({ length: attempts - 1 }, (_, i) => Math.min(first * 2 ** Math.min(i, 60), most))
}

/**
 * `ask` makes an attempt. One whose time is over goes on beside the next, as its answer is what that one waits for; all end with
 * this.
 */
export async function insist(ask: (options: RequestOptions) => Promise<Reply>, options: RequestOptions, usual: number): Promise<Reply> {
  const { attempts = 1, backoff, signal, timeout = usual, idempotencyKey = randomBytes(16), parts, ...rest } = options
  if (parts && parts.length > 0) throw argumentError('a request with parts is made once')
  duration(timeout, 'timeout')
  const longest = pausesOf(attempts, backoff)
  if (signal?.aborted) throw signal.reason
  const control = new AbortController()
  const forget = onAbort(signal, (reason) => control.abort(reason))
  const running = new Set<Promise<Reply | undefined>>()
  let last: unknown
  const begin = (left: number[]) => {
    const all = timeout * (left.length + 1) + left.reduce((sum, one) => sum + one, SLACK)
    const one: Promise<Reply | undefined> = ask({ ...rest, timeout: all, idempotencyKey, signal: control.signal }).then(
      (reply) => reply,
      (error) => {
        running.delete(one)
        if (!(error instanceof SealwireError) || !RETRIED.has(error.code)) throw error
        last = error
        return undefined
      },
    )
    one.catch(() => undefined) // it may fail when nobody looks any more
    running.add(one)
  }
  // What comes first of those that run; undefined when the time is over, or an attempt has failed.
  const hear = async (ms: number): Promise<Reply | undefined> => {
    let timer: NodeJS.Timeout | undefined
    const over = new Promise<undefined>((resolve) => { if (ms !== Infinity) timer = setTimeout(() => resolve(undefined), Math.min(ms, 2 ** 31 - 1)) })
    try {
      return await Promise.race([...running, over])
    } finally {
      clearTimeout(timer)
    }
  }
  try {
    for (let attempt = 0; attempt <= longest.length; attempt++) {
      const left = longest.slice(attempt)
      begin(left)
      const reply = (await hear(timeout)) ?? (left.length > 0 ? await hear(Math.random() * left[0]!) : undefined)
      if (reply) return reply
    }
    throw last ?? errorOf(R.timeout, { detail: `${longest.length + 1} attempts were made` })
  } finally {
    forget?.()
    control.abort(errorOf(R.cancelled))
  }
}
