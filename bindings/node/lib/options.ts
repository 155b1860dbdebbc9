// Reading options: durations, sizes, signals.
import { argumentError } from './errors.js'

export const NEVER = 0xffffffff

/** Milliseconds as the native half takes them: 0 is the default, NEVER none. */
export function duration(value: number | undefined, name: string): number {
  if (value === undefined) return 0
  if (value === Infinity) return NEVER
  if (typeof value !== 'number' || !(value > 0)) throw argumentError(`${name} is no number of milliseconds above 0`)
  return Math.min(Math.ceil(value), NEVER - 1)
}

/** The same for what may be switched off: by 0, too. */
export function span(value: number | undefined, name: string): number {
  return value === 0 ? NEVER : duration(value, name)
}

/** A whole number that is not negative; 0 is the default. */
export function size(value: number | undefined, name: string): number {
  if (value === undefined) return 0
  if (!Number.isSafeInteger(value) || value < 0) throw argumentError(`${name} is no whole number from 0 on`)
  return value
}

/** The same where the native half takes 32 bits. */
export function count(value: number | undefined, name: string): number {
  if (size(value, name) > 0xffffffff) throw argumentError(`${name} is too large`)
  return value ?? 0
}

/** A limit as the native half takes it: 0 is the default, NEVER none. */
export function limit(value: number | undefined, name: string): number {
  if (value === Infinity) return NEVER
  if (size(value, name) >= NEVER) throw argumentError(`${name} is too large; Infinity is no limit`)
  return value ?? 0
}

/** Yes or no; nothing else is taken for either. */
export function truth(value: boolean | undefined, name: string): boolean {
  if (value !== undefined && typeof value !== 'boolean') throw argumentError(`${name} is neither true nor false`)
  return value ?? false
}

/** How many messages may come: a whole number, or Infinity for any. */
export function messageCount(value: number): number {
  return value === Infinity ? value : size(value, 'messages')
}

/** Calls `then` when the signal is aborted, at most once; the result takes that back. */
export function onAbort(signal: AbortSignal | undefined, then: (reason: unknown) => void): (() => void) | undefined {
  if (!signal) return undefined
  const listener = () => then(signal.reason)
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}

export type Channel = 'sealwire' | 'shs1'

export interface ChannelOptions {
  /**
   * How both ends prove their keys and protect what they say; never negotiated. `shs1` is the published Secret Handshake, for its
   * deployed peers: they have one stream each way, `peer.stream`, and no session.
   */
  channel?: Channel
  /** Of `shs1`: the 32 bytes, the network identifier, that all its peers know. */
  shsNetwork?: Uint8Array
}

/** Its number in C. */
export function channelNumber({ channel = 'sealwire', shsNetwork }: ChannelOptions): number {
  if (channel !== 'sealwire' && channel !== 'shs1') throw argumentError("channel is 'sealwire' or 'shs1'")
  if (shsNetwork !== undefined && !(shsNetwork instanceof Uint8Array)) throw argumentError('shsNetwork is no Uint8Array')
  return channel === 'shs1' ? 1 : 0
}

/** Of a node. */
export interface Limits {
  /** Bytes queued for one peer; default 8 MiB. */
  sendQueueBytes?: number
  /** The largest message that this node takes; default 16 MiB. */
  maxMessageBytes?: number
  /** Bytes of messages that wait for their handler, per peer; default 256 KiB at start. */
  windowBytes?: number
  /** Requests that a peer may have running here; default 256. */
  exchangeSlots?: number
  /** Milliseconds; default 5,000. */
  handshakeTimeout?: number
  /** Milliseconds for the answer of onAsk; default 10,000. */
  decisionTimeout?: number
  /** Milliseconds for requests that name no timeout; default 30,000. */
  requestTimeout?: number
  /** What is sent is filled up to multiples of 64, 256, 1024 or 4096 bytes, so that sizes tell less; default: not. */
  paddingBytes?: number
  /** Bytes that all peers may use together beyond what each is granted at first; default 1 GiB, at least 1 MiB. */
  memoryBytes?: number
  /**
   * Milliseconds for which a session is kept whose connection broke; the side that has dialled dials again meanwhile, and nothing is
   * lost. Default 60,000; 0: it ends with its connection.
   */
  lease?: number
  /** The longest wait before the first such dial in milliseconds, doubled for each further one up to `redialMax`. Default 250. */
  redial?: number
  /** Default 30,000. */
  redialMax?: number
  /** Milliseconds without a sign of the peer, after which it is asked for one; default 15,000; 0: never. */
  heartbeat?: number
  /** How many times as long it takes until the connection is given up; default 3. */
  heartbeats?: number
  /** Milliseconds after which a connection is replaced by one with fresh keys; default 7,200,000; 0: never. */
  refresh?: number
  /**
   * How many sessions without a connection are kept of peers that dialled from one address and are on no list; default 16, also for
   * loopback only where it is given; Infinity: any number.
   */
  maxSuspendedPerAddress?: number
  /** Topics that a peer may have joined here; default 1,024, at most 1,048,576. */
  topicsPerPeer?: number
  /** Bytes that are taken of what a peer's application says with the handshake; default 2 KiB, at most 60 KiB. */
  applicationDataBytes?: number
}

/** @internal As the addon takes them. */
export function nativeLimits(limits: Limits) {
  return {
    sendQueueBytes: size(limits.sendQueueBytes, 'sendQueueBytes'),
    maxMessageBytes: size(limits.maxMessageBytes, 'maxMessageBytes'),
    windowBytes: size(limits.windowBytes, 'windowBytes'),
    exchangeSlots: count(limits.exchangeSlots, 'exchangeSlots'),
    handshakeTimeout: duration(limits.handshakeTimeout, 'handshakeTimeout'),
    decisionTimeout: duration(limits.decisionTimeout, 'decisionTimeout'),
    requestTimeout: duration(limits.requestTimeout, 'requestTimeout'),
    paddingBytes: count(limits.paddingBytes, 'paddingBytes'),
    memoryBytes: size(limits.memoryBytes, 'memoryBytes'),
    lease: span(limits.lease, 'lease'),
    redial: span(limits.redial, 'redial'),
    redialMax: span(limits.redialMax, 'redialMax'),
    heartbeat: span(limits.heartbeat, 'heartbeat'),
    heartbeats: count(limits.heartbeats, 'heartbeats'),
    refresh: span(limits.refresh, 'refresh'),
    maxSuspendedPerAddress: limit(limits.maxSuspendedPerAddress, 'maxSuspendedPerAddress'),
    topicsPerPeer: count(limits.topicsPerPeer, 'topicsPerPeer'),
    applicationDataBytes: count(limits.applicationDataBytes, 'applicationDataBytes'),
  }
}
