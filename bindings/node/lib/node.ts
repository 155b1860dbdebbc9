// Node: an endpoint with a key: listens, connects, and hands messages to the handlers of their routes.
import { broadcast, findPeer, type BroadcastOptions } from './broadcast.js'
import type { Target } from './commands.js'
import { Core, type AskHandler } from './core.js'
import { Draft, type DraftOptions } from './draft.js'
import { Emitter } from './emitter.js'
import { argumentError } from './errors.js'
import { Identity } from './identity.js'
import { check } from './known.js'
import { limitsOf, rangesOf, type ConnectionLimits } from './limits.js'
import { Listener, type ListenOptions } from './listener.js'
import type { Body, Request, Status } from './message.js'
import { native } from './native.js'
import { readLog, type LogEntry, type LogOption } from './log.js'
import { channelNumber, count, duration, limit, messageCount, nativeLimits, onAbort, size, truth, type Channel, type ChannelOptions, type Limits } from './options.js'
import { PeerState, type Peer } from './peer.js'
import type { Link } from './peer_options.js'
import { bufferOf, Carried, type AcceptPipeOptions, type Carrier, type ConnectPipeOptions } from './pipes.js'
import type { Middleware, RouteOptions } from './router.js'
import { Exposed, RPC_ROUTE, type ExposeOptions } from './rpc.js'
import type { NodeStats } from './stats.js'
import { nativeTls, type TlsOptions } from './tls.js'
import type { Topic, TopicOptions } from './topic.js'
import type { TopicRule, TopicRulesOptions } from './topic_rules.js'
import type { WaitOptions } from './waits.js'
import { nativeHttp } from './web.js'

/** A peer that asks to come in. */
export interface Ask {
  /** Its public key, proved. */
  id: string
  address: string
  /** What its application said with the handshake. */
  data: Uint8Array
  /** It is let in anyway. */
  allowed: boolean
  /** By which it comes; with 'shs1' neither side gives data. */
  channel: Channel
}

/** true lets it in, also { data } with words for its application; false refuses; a Status refuses with a reason. */
export type Decision = boolean | { data: Uint8Array } | Status

export interface NodeOptions {
  /** An identity, or the path of a key file; default: a new one, of this node only. */
  identity?: Identity | string
  /** A name, or a secret that starts with swnet1. */
  network?: string
  /** Who may connect to this node: ids, or 'anyone'. Default: nobody but those that onAsk lets in. */
  allow?: Iterable<string> | 'anyone'
  /** Decides about peers that are not in `allow`. */
  onAsk?: (ask: Ask) => Decision | Promise<Decision>
  /**
   * For the application of a peer that is let in, with the handshake; or a function that makes it for that peer, just in time. At
   * most 60 KiB, of which the other side takes 2 by default.
   */
  data?: Uint8Array | ((ask: Ask) => Uint8Array | Promise<Uint8Array>)
  /** Any number of sessions with one peer. Default: one, whoever connects (see connect). */
  severalSessions?: boolean
  /** Threads on which peers are spread, each staying on one; default 1, at most 64. Handlers run on the JavaScript thread as ever. */
  loopThreads?: number
  /**
   * This node passes on what its peers publish to a topic, to those of its other peers that have joined the same, by tags: it knows no
   * name that it has not joined, and cannot read what has a secret. Several that name each other are one. On a hub slow 'block' is
   * 'dropOldest'; what does not leave for a slow peer, 4 MiB a topic, is told in the log.
   */
  hub?: boolean
  /**
   * Ids of the peers that are hubs for this node: what it publishes these pass on, and what they pass on it takes. Others are refused,
   * and both sides' logs say so. A hub could keep messages back, and of topics without a secret say what it likes.
   */
  hubs?: Iterable<string>
  /** How many connections may come in; shared with other nodes and listeners if they are given it, too. */
  connectionLimits?: ConnectionLimits
  /** A level turns `log` events on; a function, or an object such as `console`, gets the lines from `info` on. */
  log?: LogOption
  limits?: Limits
  /** Handlers that run at once, over all routes: those whose promise or generator goes on. Further messages wait. Default: any number. */
  maxHandlers?: number
  /** Requesters learn the class and the words of what handlers throw. */
  tellErrors?: boolean
  /**
   * Called with what a handler threw that is no Status, in place of the `error` event. What it returns, or its promise, unless
   * undefined, is the answer; it may throw a Status.
   */
  onError?: (request: Request, error: unknown) => unknown
  /**
   * FOR DEBUGGING ONLY: a file that gets the keys of all sessions (PROTOCOL.md, "Key log"). Whoever has it can read everything that
   * was recorded of them. Appended to, created with mode 0600; a warning of the process says that it is on.
   */
  keyLog?: string
}

export interface ConnectOptions extends ChannelOptions {
  /** Of tls:// and wss://; without it the system's CAs are trusted. */
  tls?: TlsOptions
  /** Milliseconds for everything; default 20,000. */
  timeout?: number
  signal?: AbortSignal
  /**
   * For the other application, with the handshake; or a function that makes it when the peer has proved its id, with which it is
   * called. At most 60 KiB, of which the other side takes 2 by default.
   */
  data?: Uint8Array | ((id: string) => Uint8Array | Promise<Uint8Array>)
  /** Seconds of TCP keepalive; default none. */
  keepalive?: number
}

export interface CloseReport {
  /** Not everything could be finished in time. */
  deadlinePassed: boolean
  /** Messages that surely were not sent. */
  notSent: number
  /** Messages of which nobody can tell. */
  outcomeUnknown: number
  /** Requests that were cut off. */
  exchanges: number
  /** Messages that handlers still had. */
  eventsHeld: number
  /** A handler in the node's own thread kept it from ending in time: in C alone, handlers here run in the thread of JavaScript. */
  callbackBlocked: boolean
  /** The route of that handler, or else of one that had not answered at the deadline, or empty. */
  blockingRoute: string
  /** The first peers with something undelivered. */
  peers: { id: string; notSent: number; outcomeUnknown: number; exchanges: number }[]
}

export interface NodeEvents {
  /** A session is up, whoever connected. */
  peer: Peer
  /** What has become of a peer's connection: also while connect() tries the addresses of its host, before there is a session. */
  link: Link & { peer: Peer; state: 'connecting' | 'suspended' | 'resumed' }
  /** The node is closed. */
  close: CloseReport
  log: LogEntry
  /** A handler failed, or something that no promise tells. Without a listener it becomes a warning of the process. */
  error: unknown
}

const ACCESS_ASK = 0
const ACCESS_ALLOW_LIST = 1
const ACCESS_ANYONE = 2

// Milliseconds: of close(), where it says none.
const DEADLINE = 2000

function checkData(data: unknown): void {
  if (data === undefined || typeof data === 'function' || data instanceof Uint8Array) return
  throw argumentError('data is neither a Uint8Array nor a function')
}

function idsOf(ids: Iterable<string>, wanted = "allow is 'anyone' or a list of ids"): Uint8Array {
  if (typeof ids === 'string') throw argumentError(wanted)
  return Buffer.concat([...ids].map((id) => native.peerIdBytes(String(id))))
}

const dropped = new FinalizationRegistry<Core>((core) => core.shutdown(0))

/** An endpoint with a key of its own. */
export class Node extends Emitter<NodeEvents> {
  /** This node's public key as text. */
  readonly id: string
  private readonly core: Core
  private exposed: Exposed | undefined

  /** Opens a node. It takes no connections before listen(). */
  static async open(options: NodeOptions = {}): Promise<Node> {
    return new Node(options)
  }

  private constructor(options: NodeOptions) {
    super()
    const { identity, network = '', allow, onAsk, log, data, limits = {}, keyLog = '' } = options
    check(options, 'node')
    check(limits, 'limits')
    checkData(data)
    if (typeof network !== 'string') throw argumentError('network is not a string')
    if (typeof keyLog !== 'string') throw argumentError('keyLog is not a path')
    const { level, onLog } = readLog(log)
    const tellErrors = truth(options.tellErrors, 'tellErrors')
    const key = typeof identity === 'string' ? Identity.load(identity) : identity
    if (key !== undefined && !(key instanceof Identity)) throw argumentError('identity is neither an Identity nor a path')
    this.core = new Core({
      access: allow === 'anyone' ? ACCESS_ANYONE : onAsk ? ACCESS_ASK : ACCESS_ALLOW_LIST,
      identity: key?.native,
      network,
      allowed: idsOf(allow === undefined || allow === 'anyone' ? [] : allow),
      log: log === undefined ? 0 : 1,
      logLevel: level,
      ...nativeLimits(limits),
      acceptData: typeof data === 'function' ? undefined : data,
      askAllowed: typeof data === 'function' ? 1 : 0,
      severalSessions: truth(options.severalSessions, 'severalSessions') ? 1 : 0,
      loopThreads: count(options.loopThreads, 'loopThreads'),
      hub: truth(options.hub, 'hub') ? 1 : 0,
      hubs: idsOf(options.hubs ?? [], 'hubs is a list of ids'),
      keyLog,
      connectionLimits: limitsOf(options.connectionLimits),
    })
    if (keyLog) process.emitWarning(`all that this node sends and receives can be read by whoever has ${keyLog}`, 'KeyLogWarning')
    const { handlers } = this.core
    if (options.maxHandlers) handlers.limit(size(options.maxHandlers, 'maxHandlers'))
    handlers.tellErrors = tellErrors
    handlers.onError = options.onError
    this.core.onAsk = onAsk as AskHandler | undefined
    this.core.acceptData = data
    this.core.onLog = onLog
    this.core.attach(this)
    this.id = this.core.box.id()
    dropped.register(this, this.core)
  }

  /**
   * Handles messages and requests to `route`; the empty route is for all that have no handler. What the handler returns,
   * or its promise, is the answer: bytes, a text, anything JSON can say, a Status, or undefined for a bare 'done'.
   */
  route(route: string, handler: (request: Request) => unknown, options: RouteOptions = {}): this {
    if (typeof route !== 'string' || typeof handler !== 'function') throw argumentError('a route is a string and its handler a function')
    check(options, 'route')
    this.core.handlers.set(route, handler, options)
    return this
  }

  /**
   * Puts a function around every handler of this node: `(request, next) => ...`, where `await next()` is what lies within. The first
   * that was added is the outermost, whenever the handlers came. What it returns, or its promise, is the answer.
   */
  use(middleware: Middleware): this {
    this.core.handlers.use(middleware)
    return this
  }

  /**
   * Lets peers call `target` by `name` (docs/RPC.md): a function, an object of functions, or an object with the methods that its
   * own class defines; nested names are joined by dots. Nothing that is inherited or begins with an underscore is reached.
   */
  expose(name: string, target: object, options: ExposeOptions = {}): this {
    check(options, 'expose')
    if (!this.exposed) {
      this.exposed = new Exposed()
      this.route(RPC_ROUTE, this.exposed.serve)
    }
    this.exposed.add(name, target, options)
    return this
  }

  /** What is called so, or below it, can no more be called. */
  unexpose(name: string): this {
    this.exposed?.remove(name)
    return this
  }

  /** Messages to `route` are answered `no_route` from now on. */
  unroute(route: string): this {
    this.core.handlers.unset(route)
    return this
  }

  /**
   * Waits for a message or request to `route` that `filter` accepts: it goes to the first who waits and accepts it, in place of the
   * route's handler, and to that otherwise. Who gets a request answers it by `request.reply()`.
   */
  waitFor(route: string, options: WaitOptions = {}): Promise<Request> {
    if (this.core.closing) return Promise.reject(this.core.closedError())
    return this.core.handlers.waits.wait(route, options)
  }

  /**
   * Joins a topic at all peers, those that connect later included: settled when those that are connected have answered. What they
   * publish from then on is not missed. A name has 1 to 255 bytes; any number of joins may have one, and each gets every message.
   */
  join(name: string, options: TopicOptions = {}): Promise<Topic> {
    return this.core.topics.join(name, options)
  }

  /**
   * Who may join this node's topics and publish to them: for each right the first rule that fits decides, where none fits it is denied;
   * undefined: all is allowed, as at first. Also for those who have joined already; who was refused tries again in its next session.
   * Without `onAsk` what a rule asks is denied.
   */
  setTopicRules(rules: TopicRule[] | undefined, options: TopicRulesOptions = {}): void {
    this.core.topics.rules.set(rules, options)
  }

  /** Ends all joins of a name; settled when they have ended. */
  leave(name: string): Promise<void> {
    return this.core.topics.leave(name)
  }

  /** The peer with that id, whichever side has dialled: `node.peer(id)?.send(...)`; the last of several sessions, and none of `shs1`. */
  peer(id: string): Peer | undefined {
    return findPeer(this.core, id)
  }

  /**
   * Sends a message to all peers that are connected; settled with how many they were. It is encoded once, and waits for room where a queue is
   * full, which holds up no other. Rejected with `too_big` where a peer takes no such message, when the others have it.
   */
  broadcast(route: Target, value?: Body, options?: BroadcastOptions): Promise<number> {
    return broadcast(this.core, route, value, options)
  }

  /**
   * What many messages have in common, to be given in place of their route: `const draft = node.draft('orders', { metadata })`,
   * `peer.send(draft, body)`. It is checked and encoded once, which saves most of what metadata cost. With a `type` (bytes, utf8,
   * json, messagepack or cbor) all bodies are encoded as that; bytes are then taken as JSON or UTF-8 that is encoded already.
   */
  draft(route: string, options: DraftOptions = {}): Draft {
    return new Draft(this.core.box, this.core.commands, route, options)
  }

  /** Lets messages to a route that has a handler wait, of all peers, as `peer.pause` does for one. */
  pause(route: string): this {
    return this.resume(route, 0)
  }

  /** Lets that many more of them come, then the route is paused again; without a number the pause ends. */
  resume(route: string, messages = Infinity): this {
    if (typeof route !== 'string') throw argumentError('route is not a string')
    this.core.box.resumeRoute(route, messageCount(messages))
    return this
  }

  /** Replaces the list of who may connect; sessions that are up stay. */
  setAllowed(ids: Iterable<string>): void {
    this.core.box.setAllowed(idsOf(ids))
  }

  /**
   * Listens on tcp://host:port or tls://host:port (port 0: any), unix:///path, unix:@name, ws://host:port/path or wss://host:port/path, whose port answers
   * HTTP as well.
   */
  listen(url: string, options: ListenOptions = {}): Promise<Listener> {
    return new Promise((resolve, reject) => {
      if (typeof url !== 'string') throw argumentError('url is not a string')
      check(options, 'listen')
      const { backlog = 0, unixMode = 0, keepalive = 0, signal } = options
      if (signal?.aborted) throw signal.reason
      const { core } = this
      const listener = new Listener(core, { resolve, reject })
      const number = (listener.number = core.addListener(listener))
      try {
        core.box.listen(url, number, {
          backlog,
          ipv6Only: truth(options.ipv6Only, 'ipv6Only') ? 1 : 0,
          unixMode,
          keepalive,
          maxHandshakes: limit(options.maxHandshakes, 'maxHandshakes'),
          maxHandshakesPerAddress: limit(options.maxHandshakesPerAddress, 'maxHandshakesPerAddress'),
          handshakesPerSecond: limit(options.handshakesPerSecond, 'handshakesPerSecond'),
          handshakeBurst: limit(options.handshakeBurst, 'handshakeBurst'),
          handshakeSharePercent: limit(options.handshakeSharePercent, 'handshakeSharePercent'),
          channel: channelNumber(options),
          shsNetwork: options.shsNetwork,
          http: nativeHttp(options.http),
          connectionLimits: limitsOf(options.connectionLimits),
          allowAddresses: rangesOf(options.allowAddresses, 'allowAddresses'),
          denyAddresses: rangesOf(options.denyAddresses, 'denyAddresses'),
          tls: nativeTls(options.tls),
        })
        listener.http = options.http
      } catch (error) {
        core.listeners.delete(number)
        listener.unref()
        throw error
      }
      core.inUse()
      const forget = onAbort(signal, (reason) => {
        reject(reason)
        void listener.close()
      })
      if (forget) void listener.closed.then(forget)
    })
  }

  /**
   * Connects to a ticket: an address and the id of the peer there, which must prove its key. There is one session with each peer,
   * unless both nodes have `severalSessions`: with one that is up, or that comes up meanwhile, dialled by either side, it is that
   * which is returned. To have a new one, close that first. With the channel 'shs1' each call makes a connection of its own.
   */
  connect(ticket: string, options: ConnectOptions = {}): Promise<Peer> {
    return new Promise((resolve, reject) => {
      if (typeof ticket !== 'string') throw argumentError('ticket is not a string')
      check(options, 'connect')
      const { signal, data, keepalive = 0 } = options
      checkData(data)
      const make = typeof data === 'function' ? data : undefined
      if (signal?.aborted) throw signal.reason
      const { core } = this
      const fixed = typeof data === 'function' ? undefined : data
      const peer = core.addPeer(core.box.connect(ticket, duration(options.timeout, 'timeout'), fixed, keepalive, make !== undefined,
        channelNumber(options), options.shsNetwork, nativeTls(options.tls)))
      if (make) core.hellos.set(peer, make)
      core.dials.set(peer, this.waiting(resolve, reject, signal, () => {
        core.box.closePeer(peer.slot, 0, '', 1)
        peer.state = PeerState.closing
      }))
      core.inUse()
    })
  }

  /**
   * Connects over a stream (a socket, a channel of an SSH library, a child's stdout and stdin as { readable, writable }) at whose other
   * end the node of that id accepts. The stream belongs to the pipe from then on, and is ended with it. All else is as with connect.
   */
  connectPipe(id: string, carrier: Carrier, options: ConnectPipeOptions = {}): Promise<Peer> {
    return new Promise((resolve, reject) => {
      if (typeof id !== 'string') throw argumentError('id is not a string')
      check(options, 'connectPipe')
      const { signal, data, address = '' } = options
      checkData(data)
      const make = typeof data === 'function' ? data : undefined
      const fixed = typeof data === 'function' ? undefined : data
      if (signal?.aborted) throw signal.reason
      const { core } = this
      const slot = core.pipes.add(new Carried(core, carrier, address), (number) =>
        core.box.connectPipe(number, id, address, bufferOf(options.bufferBytes), duration(options.timeout, 'timeout'), fixed, make !== undefined,
          channelNumber(options), options.shsNetwork))
      const peer = core.addPeer(slot)
      if (make) core.hellos.set(peer, make)
      core.dials.set(peer, this.waiting(resolve, reject, signal, () => {
        core.box.closePeer(peer.slot, 0, '', 1)
        peer.state = PeerState.closing
      }))
      core.inUse()
    })
  }

  /**
   * Waits for who connects at the other end of such a stream, and is let in as by a listener: its Peer, of which `peer` events tell
   * too. Rejected with why nobody came: `not_allowed`, `no_answer`, ...
   */
  acceptPipe(carrier: Carrier, options: AcceptPipeOptions = {}): Promise<Peer> {
    return new Promise((resolve, reject) => {
      check(options, 'acceptPipe')
      const { signal, listener, address = '' } = options
      if (listener !== undefined && !(listener instanceof Listener)) throw argumentError('listener is no Listener')
      if (signal?.aborted) throw signal.reason
      const { core } = this
      const carried = new Carried(core, carrier, address)
      core.pipes.add(carried, (number) => core.box.acceptPipe(number, address, bufferOf(options.bufferBytes), listener?.number ?? 0,
        channelNumber(options), options.shsNetwork))
      carried.accepted = this.waiting(resolve, reject, signal, (reason) => carried.fail(reason))
      core.inUse()
    })
  }

  // Who waits for a peer: settled once, which holds the process until then; a signal ends the wait and does `abort`.
  private waiting(resolve: (peer: Peer) => void, reject: (reason: unknown) => void, signal: AbortSignal | undefined,
    abort: (reason: unknown) => void): { resolve(peer: Peer): void; reject(reason: unknown): void } {
    const { commands } = this.core
    let settled = false
    const once = (then: () => void) => {
      if (settled) return
      settled = true
      forget?.()
      commands.release()
      then()
    }
    commands.hold()
    const forget = onAbort(signal, (reason) => {
      abort(reason)
      once(() => reject(reason))
    })
    return { resolve: (peer) => once(() => resolve(peer)), reject: (reason) => once(() => reject(reason)) }
  }

  /** What it has done since it was opened and has to do now: sums over all peers, with those that have gone. */
  stats(): NodeStats {
    this.core.commands.flush()
    const [sums, routes] = this.core.box.stats()
    return { ...sums, routes: Object.fromEntries(routes) }
  }

  /** Closes listeners and sessions in good order, for at most `deadline` milliseconds (2,000), and tells what was left. */
  async close(deadline?: number): Promise<CloseReport> {
    const { core } = this
    if (!core.closing) {
      core.shutdown(duration(deadline, 'deadline'))
      core.commands.hold()
      void core.over.then(() => core.commands.release())
    }
    const written = core.pipes.finished()
    const report = await core.over
    let timer: NodeJS.Timeout | undefined
    await Promise.race([written, new Promise((resolve) => (timer = setTimeout(resolve, deadline ?? DEADLINE)))])
    clearTimeout(timer)
    return report
  }

  override toString(): string {
    return this.id
  }
}

// For `await using`, where the runtime has it.
const asyncDispose = (Symbol as { asyncDispose?: symbol }).asyncDispose
if (asyncDispose) Object.defineProperty(Node.prototype, asyncDispose, { value(this: Node) { return this.close() }, configurable: true, writable: true })
