// What messages carry beside their bodies: metadata, trace context and idempotency key.
import { argumentError } from './errors.js'
import type { NativeExtras } from './native.js'

export interface CarriedOptions {
  /** Texts by name, at most 4 KiB in all; a list of pairs where a name comes more than once. */
  metadata?: Record<string, string> | readonly (readonly [string, string])[]
  /** A W3C traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`. */
  trace?: string
}

/** @internal As it comes from the native half. */
export interface Carried {
  pairs: string[]
  trace?: Uint8Array
  key?: Uint8Array
}

const TRACE = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** @internal */
export function extrasOf(options: CarriedOptions | undefined, key?: Uint8Array): NativeExtras | undefined {
  const { metadata, trace } = options ?? {}
  if (metadata === undefined && trace === undefined && key === undefined) return undefined
  const pairs = metadata === undefined ? [] : Array.isArray(metadata) ? metadata : Object.entries(metadata as Record<string, string>)
  const flat = pairs.flat() as string[]
  if (flat.some((text) => typeof text !== 'string')) throw argumentError('metadata are texts')
  let bytes: Uint8Array | undefined
  if (trace !== undefined) {
    const found = TRACE.exec(trace)
    if (!found) throw argumentError('a trace context is written 00-<32 digits>-<16 digits>-<2 digits>')
    bytes = Buffer.from(found.slice(1).join(''), 'hex')
  }
  return [flat, bytes, key]
}

/** @internal Of names that come more than once the first counts. */
export function metadataOf(carried: Carried | undefined): Record<string, string> {
  const all: Record<string, string> = Object.create(null)
  const pairs = carried?.pairs ?? []
  for (let i = 0; i < pairs.length; i += 2) if (!(pairs[i]! in all)) all[pairs[i]!] = pairs[i + 1]!
  return all
}

/** @internal */
export function traceOf(carried: Carried | undefined): string | undefined {
  if (!carried?.trace) return undefined
  const hex = Buffer.from(carried.trace).toString('hex')
  return `00-${hex.slice(0, 32)}-${hex.slice(32, 48)}-${hex.slice(48)}`
}
