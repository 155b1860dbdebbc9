// Limits at the door: how many connections may come in, and from where.
import { argumentError } from './errors.js'
import { check } from './known.js'
import { native, type NativeLimits } from './native.js'
import { limit } from './options.js'

/** 0 or nothing is no limit. */
export interface ConnectionLimitsOptions {
  /** Of peers that have proved their key and are let in; the next are told `limit`. */
  connections?: number
  /** The same, of one key. */
  perKey?: number
  /** Pipes from one address, strangers included; the next are closed at once, without a word. */
  perAddress?: number
  /** The same, of IPv6 from one /64. */
  perSubnet?: number
}

export interface ConnectionCounts {
  /** That are in now. */
  connections: number
  /** By `perAddress` and `perSubnet`. */
  refusedByAddress: number
  /** By `connections` and `perKey`. */
  refusedByLimit: number
}

/** From where one may connect: addresses, or ranges as 192.0.2.0/24. */
export interface AddressLists {
  /** With any, who is in none of them is closed without a word. */
  allow?: Iterable<string>
  /** Who is in one of them is closed without a word, also if it is allowed. */
  deny?: Iterable<string>
}

/** How many connections may come in, counted together over all nodes and listeners that are given it. Those that are dialled do not count. */
export class ConnectionLimits {
  /** @internal */
  readonly native: NativeLimits = native.limitsCreate()

  constructor(options: ConnectionLimitsOptions = {}) {
    this.set(options)
  }

  /** Other numbers from now on; connections that are there stay. */
  set(options: ConnectionLimitsOptions): void {
    check(options, 'connectionLimits')
    const { connections, perKey, perAddress, perSubnet } = options
    native.limitsSet(this.native, limit(connections, 'connections'), limit(perKey, 'perKey'), limit(perAddress, 'perAddress'),
      limit(perSubnet, 'perSubnet'))
  }

  get counts(): ConnectionCounts {
    const [connections, refusedByAddress, refusedByLimit] = native.limitsCounts(this.native)
    return { connections, refusedByAddress, refusedByLimit }
  }
}

/** @internal */
export function limitsOf(limits: ConnectionLimits | undefined): NativeLimits | undefined {
  if (limits !== undefined && !(limits instanceof ConnectionLimits)) throw argumentError('connectionLimits are no ConnectionLimits')
  return limits?.native
}

/** @internal */
export function rangesOf(addresses: Iterable<string> | undefined, name: string): string[] {
  if (addresses === undefined) return []
  if (typeof addresses === 'string' || typeof addresses[Symbol.iterator] !== 'function') throw argumentError(`${name} is no list of addresses`)
  const all = [...addresses]
  if (!all.every((address) => typeof address === 'string')) throw argumentError(`${name} is no list of addresses`)
  return all
}
