// What functions of the application give: a value, or a promise of one.
import { argumentError } from './errors.js'

/** Whether the filter accepts. Nobody waits for a promise, which would be true. */
export function accepted(verdict: unknown): boolean {
  if (!isThenable(verdict)) return Boolean(verdict)
  verdict.then(undefined, () => undefined)
  throw argumentError('a filter is a plain function: this one gave a promise')
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && typeof value === 'object' && typeof (value as { then?: unknown }).then === 'function'
}
