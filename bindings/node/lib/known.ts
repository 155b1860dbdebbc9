// The names of all options: one that is not known, by a slip of the pen, is refused rather than ignored.
import { argumentError } from './errors.js'
import type { BroadcastOptions } from './broadcast.js'
import type { DraftOptions } from './draft.js'
import type { AddressLists, ConnectionLimitsOptions } from './limits.js'
import type { ListenOptions } from './listener.js'
import type { ConnectOptions, NodeOptions } from './node.js'
import type { Limits } from './options.js'
import type { AcceptPipeOptions, ConnectPipeOptions } from './pipes.js'
import type { ClosePeerOptions, RequestOptions, SendOptions } from './peer_options.js'
import type { RouteOptions } from './router.js'
import type { ExposeOptions } from './rpc.js'
import type { TlsOptions } from './tls.js'
import type { PublishOptions, TopicOptions } from './topic.js'
import type { TopicRule, TopicRulesOptions } from './topic_rules.js'
import type { WaitOptions } from './waits.js'

// The compiler refuses a name that is missing here, and one that is no option.
type Names<T> = { readonly [K in keyof Required<T>]: 1 }
const namesOf = <T>(names: Names<T>): ReadonlySet<string> => new Set(Object.keys(names))

const signal = 1
const channel = { channel: 1, shsNetwork: 1 } as const
const carried = { metadata: 1, trace: 1 } as const

const names = {
  node: namesOf<NodeOptions>({
    identity: 1, network: 1, allow: 1, onAsk: 1, data: 1, log: 1, limits: 1, maxHandlers: 1, tellErrors: 1, onError: 1,
    keyLog: 1, severalSessions: 1, connectionLimits: 1, loopThreads: 1, hub: 1, hubs: 1,
  }),
  limits: namesOf<Limits>({
    sendQueueBytes: 1, maxMessageBytes: 1, windowBytes: 1, exchangeSlots: 1, handshakeTimeout: 1, decisionTimeout: 1, requestTimeout: 1,
    paddingBytes: 1, memoryBytes: 1, applicationDataBytes: 1, lease: 1, redial: 1, redialMax: 1, heartbeat: 1, heartbeats: 1, refresh: 1,
    maxSuspendedPerAddress: 1, topicsPerPeer: 1,
  }),
  connect: namesOf<ConnectOptions>({ ...channel, timeout: 1, signal, data: 1, keepalive: 1, tls: 1 }),
  connectPipe: namesOf<ConnectPipeOptions>({ ...channel, address: 1, bufferBytes: 1, timeout: 1, signal, data: 1 }),
  acceptPipe: namesOf<AcceptPipeOptions>({ ...channel, address: 1, bufferBytes: 1, listener: 1, signal }),
  listen: namesOf<ListenOptions>({
    ...channel, backlog: 1, ipv6Only: 1, unixMode: 1, keepalive: 1, maxHandshakes: 1, maxHandshakesPerAddress: 1, handshakesPerSecond: 1,
    handshakeBurst: 1, handshakeSharePercent: 1, http: 1, signal, tls: 1,
    connectionLimits: 1, allowAddresses: 1, denyAddresses: 1,
  }),
  tls: namesOf<TlsOptions>({
    ca: 1, caFile: 1, certificate: 1, certificateFile: 1, key: 1, keyFile: 1, crl: 1, crlFile: 1, serverName: 1, clients: 1, minVersion: 1,
  }),
  connectionLimits: namesOf<ConnectionLimitsOptions>({ connections: 1, perKey: 1, perAddress: 1, perSubnet: 1 }),
  addresses: namesOf<AddressLists>({ allow: 1, deny: 1 }),
  draft: namesOf<DraftOptions>({ type: 1, metadata: 1 }),
  send: namesOf<SendOptions>({ ...carried, receipt: 1, signal, parts: 1, uuid: 1 }),
  request: namesOf<RequestOptions>({ ...carried, timeout: 1, between: 1, total: 1, idempotencyKey: 1, signal, parts: 1, attempts: 1, backoff: 1 }),
  close: namesOf<ClosePeerOptions>({ code: 1, text: 1, deadline: 1 }),
  route: namesOf<RouteOptions>({ use: 1, maxHandlers: 1, tellErrors: 1 }),
  expose: namesOf<ExposeOptions>({ withRequest: 1 }),
  topic: namesOf<TopicOptions>({ slow: 1, queueBytes: 1, creditBytes: 1, publishOnly: 1, keepLast: 1, wantLast: 1, secret: 1, signal }),
  publish: namesOf<PublishOptions>({ to: 1, filter: 1, signal }),
  topicRule: namesOf<TopicRule>({ pattern: 1, peer: 1, rights: 1, verdict: 1 }),
  topicRules: namesOf<TopicRulesOptions>({ onAsk: 1 }),
  broadcast: namesOf<BroadcastOptions>({ filter: 1, signal }),
  wait: namesOf<WaitOptions>({ filter: 1, timeout: 1, signal }),
}

/** Refuses options with a name that is none. */
export function check(options: object | undefined, of: keyof typeof names): void {
  for (const name in options) if (!names[of].has(name)) throw argumentError(`there is no option ${name} of ${of}`)
}
