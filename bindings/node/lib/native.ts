// Finds and loads the native half: the prebuilt file of this package first, then the package of this platform.
import { platformName } from './platform.js'
import type { NodeStats, PeerStats, RouteStats } from './stats.js'
import type { NativeHttpOptions } from './web.js'
import type { NativeTls } from './tls.js'

/** An identity in guarded memory. */
export type NativeIdentity = { readonly native: unique symbol }

/** Limits of connections. */
export type NativeLimits = { readonly limits: unique symbol }

export interface NativeOptions {
  connectionLimits: NativeLimits | undefined
  access: number
  identity: NativeIdentity | undefined
  network: string
  allowed: Uint8Array
  hub: number
  hubs: Uint8Array
  log: number
  logLevel: number
  sendQueueBytes: number
  maxMessageBytes: number
  windowBytes: number
  exchangeSlots: number
  handshakeTimeout: number
  decisionTimeout: number
  requestTimeout: number
  paddingBytes: number
  memoryBytes: number
  acceptData: Uint8Array | undefined
  askAllowed: number
  severalSessions: number
  loopThreads: number
  lease: number
  redial: number
  redialMax: number
  heartbeat: number
  heartbeats: number
  refresh: number
  maxSuspendedPerAddress: number
  topicsPerPeer: number
  applicationDataBytes: number
  keyLog: string
}

/** How many events; or that, the common buffer of bodies, buffers of large bodies, and objects for some of the events. */
export type Polled = number | [number, ArrayBuffer | undefined, ArrayBuffer[] | undefined, unknown[] | undefined]

/** A file that was opened to be sent; and what hashes one that is written by hand. */
export type NativeFile = { readonly file: unique symbol }
export type NativeHasher = { readonly hasher: unique symbol }

/** Of a part that is sent: name, size or -1, kind, type, and a file that the library reads. */
export type NativeHead = [name: string, size: number, kind: number, type: number, file?: NativeFile | undefined]

/** A result; or the two halves of the exchange's number and the numbers of the parts. */
export type NativeParts = number | number[]

/** Names and values in turn, trace, key. */
export type NativeExtras = [pairs: string[], trace: Uint8Array | undefined, key: Uint8Array | undefined]

/** Of a request: extras, between, total, converse, and how often it is made; of a message: the sum of sw_receipt_stage that is wanted. */
export type NativeMore = [extras: NativeExtras | undefined, between: number, total: number, converse: number, receipt: number,
  attempts: number, backoff: number, backoffMost: number]

export interface NativeListenOptions {
  connectionLimits: NativeLimits | undefined
  allowAddresses: string[]
  denyAddresses: string[]
  backlog: number
  ipv6Only: number
  unixMode: number
  keepalive: number
  maxHandshakes: number
  maxHandshakesPerAddress: number
  handshakesPerSecond: number
  handshakeBurst: number
  handshakeSharePercent: number
  channel: number
  shsNetwork: Uint8Array | undefined
  http: NativeHttpOptions | undefined
  tls: NativeTls | undefined
}

export interface NativeNode {
  id(): string
  shared(): ArrayBuffer
  intern(route: string): number
  draft(route: string, type: number, extras: NativeExtras | undefined): number
  freeDraft(number: number): void
  route(name: string, number: number, held: boolean): void
  unroute(name: string): void
  setAllowed(ids: Uint8Array): void
  listen(url: string, number: number, options: NativeListenOptions): void
  closeListener(number: number): void
  /** Headers as name, value, name, value, ... */
  answerHttp(listener: number, request: number, status: number, body: Uint8Array, headers: string[]): void
  setAddresses(number: number, allow: string[], deny: string[]): void
  setTls(number: number, tls: NativeTls): void
  connect(ticket: string, timeout: number, data: Uint8Array | undefined, keepalive: number, onDemand: boolean,
    channel: number, shsNetwork: Uint8Array | undefined, tls: NativeTls | undefined): number
  hello(peer: number, data: Uint8Array | undefined): void
  accept(peer: number, data: Uint8Array | undefined): void
  reject(peer: number, code: number, text: string): void
  ping(peer: number, token: number): void
  move(peer: number, address: string): void
  resumePeer(peer: number, messages: number): void
  resumeRoute(route: string, messages: number): void
  closePeer(peer: number, code: number, text: string, deadline: number): void
  shutdown(deadline: number): void
  terminate(): void
  poll(): Polled
  flush(count: number, flags: number, external?: Uint8Array): number
  /** `route`: or the number of a draft. */
  openParts(peer: number, route: string | number, type: number, body: Uint8Array, expects: number, tag: number, timeout: number,
    heads: NativeHead[], ...more: NativeMore): NativeParts
  reply(peer: number, low: number, high: number, type: number, body: Uint8Array, more: number, heads: NativeHead[] | undefined, extras: NativeExtras | undefined): NativeParts
  ask(peer: number, low: number, high: number, type: number, body: Uint8Array, extras: NativeExtras | undefined): number | number[]
  answer(peer: number, low: number, high: number, question: number, type: number, body: Uint8Array, extras: NativeExtras | undefined,
    asks: boolean): number | number[]
  questionStatus(peer: number, low: number, high: number, question: number, code: number, text: string): number
  setDeadlines(peer: number, low: number, high: number, next: number, between: number, total: number, clock: number): number
  uuid(peer: number, low: number, high: number, own: number, place: number): number | Uint8Array
  running(peer: number): number | number[]
  stats(): [Omit<NodeStats, 'routes'>, [string, RouteStats][]]
  peerStats(peer: number): number | PeerStats
  connectPipe(number: number, id: string, address: string, buffer: number, timeout: number, data: Uint8Array | undefined,
    onDemand: boolean, channel: number, shsNetwork: Uint8Array | undefined): number
  acceptPipe(number: number, address: string, buffer: number, listener: number, channel: number,
    shsNetwork: Uint8Array | undefined): void
  pipeGive(number: number, bytes: Uint8Array): number
  /** Bytes, or a result; ok: nothing for now. */
  pipeTake(number: number): Uint8Array | number
  pipeEnd(number: number): number
  pipeFail(number: number, why: string): number
  joinTopic(number: number, name: string, slow: number, queue: number, credit: number, publishOnly: boolean, keepLast: boolean, wantLast: boolean,
    secret: string | undefined): void
  leaveTopic(number: number): number
  leaveTopics(name: string): void
  setTopicRules(rules: unknown[] | undefined): void
  decideTopic(topic: string, slot: number, rights: number): void
  /** How many members; less than 0: minus a result. `to`: a slot, or -1; `only`: slots. */
  publish(number: number, type: number, body: Uint8Array, to: number, only: number[] | undefined): number
  /** Of each: slot, 1 where it only publishes, 1 where it is a hub, in turn. */
  topicMembers(number: number): number[]
  /** A slot; -1: there is none, -2: its events have not been fetched yet. */
  findPeer(id: string): number
  /** How many took it, then the slot and a result of each that did not, in turn. `route`: or the number of a draft. */
  broadcast(route: string | number, type: number, body: Uint8Array, peers: number[]): number[]
  status(peer: number, low: number, high: number, code: number, text: string, type: number, details: Uint8Array): number
  partWrite(peer: number, low: number, high: number, part: number, bytes: Uint8Array | undefined, end: number, digest: Uint8Array | undefined): number
  partRead(peer: number, low: number, high: number, part: number, bytes: number): number
  partSave(peer: number, low: number, high: number, part: number, name: string, size: number, folder: string, ownName: string,
    most: number, unchecked: number, progress: number): number
  partCancel(peer: number, low: number, high: number, part: number, code: number): number
}

/** What sealwire.node exports. */
export interface Native {
  version(): string
  abiVersion(): number
  buildInfo(): string
  describeResult(result: number): [name: string, text: string, hint: string]
  setErrorFactory(make: (result: number, detail: string) => Error): void
  limitsCreate(): NativeLimits
  limitsSet(limits: NativeLimits, connections: number, perKey: number, perAddress: number, perSubnet: number): void
  limitsCounts(limits: NativeLimits): [connections: number, byAddress: number, byLimit: number]
  identityGenerate(): NativeIdentity
  identityFromSeed(seed: Uint8Array): NativeIdentity
  identityLoad(path: string): NativeIdentity
  identitySave(identity: NativeIdentity, path: string): void
  identitySeed(identity: NativeIdentity): Uint8Array
  identityId(identity: NativeIdentity): string
  peerIdBytes(text: string): Uint8Array
  peerIdText(bytes: Uint8Array): string
  networkGenerate(): string
  networkCheck(network: string): void
  networkFromPassphrase(passphrase: string): Promise<string>
  topicSecretGenerate(): string
  topicSecretCheck(secret: string): void
  topicSecretFromPassphrase(passphrase: string, topic: string): Promise<string>
  ticketMake(address: string, id: string): string
  ticketSplit(ticket: string): [address: string, id: string]
  openFile(path: string, name: string, progress: number): Promise<[NativeFile, string, number] | [number, string]>
  newHasher(): NativeHasher
  hasherAdd(hasher: NativeHasher, bytes: Uint8Array): void
  hasherDigest(hasher: NativeHasher): Uint8Array
  NodeBox: new (options: NativeOptions, wake: () => void) => NativeNode
}

function load(): Native {
  const platform = platformName()
  const places = [`../prebuilds/${platform}/sealwire.node`, `@sealwire/${platform}/sealwire.node`]
  for (const place of places) {
    try {
      return require(place) as Native
    } catch (error) {
      // Only an absent file leads on to the next place; a file that cannot be loaded says itself why.
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    }
  }
  throw new Error(`sealwire has no build for ${platform}; looked for ${places.join(' and ')}`)
}

export const native: Native = load()
