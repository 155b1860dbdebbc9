// Core: what a node does with its events; the native half's wake function leads here.
import { talked, type Talked } from './conversation.js'
import { Commands, type Command, type CommandOwner, type Settle } from './commands.js'
import { decideAbout, sayHello } from './deciding.js'
import { errorOf, SealwireError } from './errors.js'
import type { Closed, Up } from './ends.js'
import { closeAtExit, closed } from './exit.js'
import { linkChanged, type NativeLink } from './links.js'
import type { Listener } from './listener.js'
import { Handlers } from './handlers.js'
import { Reply, type Request } from './message.js'
import { native, type NativeNode, type NativeOptions } from './native.js'
import { entryOf, type LogEntry, type NativeLine } from './log.js'
import type { Ask, CloseReport, Node } from './node.js'
import type { OutParts } from './outparts.js'
import { Peer, PeerState, type Pending } from './peer.js'
import { PeerStream } from './peer_stream.js'
import { Pipes, type PipeClosed } from './pipes.js'
import { receipts } from './receipts.js'
import { E, EVENT_ROW, EventType, MAX_EVENTS, Op, R, StatusCode } from './table.js'
import { Topics } from './topics.js'
import { whence, type Came } from './transfer.js'
import { onHttp } from './web.js'

export type AskHandler = (ask: Ask) => unknown

export class Core implements CommandOwner {
  readonly box: NativeNode
  readonly commands: Commands
  readonly handlers = new Handlers(this)
  readonly listeners = new Map<number, Listener>()
  readonly pipes = new Pipes()
  readonly topics = new Topics(this)
  /** Dials under way. */
  readonly dials = new Map<Peer, Settle<Peer>>()
  /** Sends that wait for room, by their command. */
  readonly queued = new Map<Command, Settle<void>>()
  onAsk: AskHandler | undefined
  acceptData: Uint8Array | ((ask: Ask) => unknown) | undefined
  /** Of dials: what makes the data for the other application. */
  readonly hellos = new WeakMap<Peer, (id: string) => unknown>()
  onLog: ((entry: LogEntry) => void) | undefined
  /** Settled by the node's last event. */
  readonly over: Promise<CloseReport>
  closing = false

  private overSettle!: (report: CloseReport) => void
  readonly peers: (Peer | undefined)[] = []
  private readonly pending: (Pending | undefined)[] = [undefined] // 0 marks requests of the peer
  private readonly freeTags: number[] = []
  private readonly timers = new Map<number, NodeJS.Timeout>() // of requests that wait for room
  private openPeers = 0
  private nextListener = 1
  // The node is let go while nothing of it is in use; then its finaliser shuts it down.
  private face: WeakRef<Node> | undefined
  private keep: Node | undefined

  constructor(options: NativeOptions) {
    this.box = new native.NodeBox(options, this.wake)
    this.commands = new Commands(this.box, this)
    this.over = new Promise((resolve) => (this.overSettle = resolve))
    closeAtExit(this.box)
  }

  /** The node that the application holds. */
  attach(node: Node): void {
    this.face = new WeakRef(node)
  }

  private node(): Node | undefined {
    return this.keep ?? this.face?.deref()
  }

  /** To be called when listeners, dials or peers come or go. */
  inUse(): void {
    const used = this.listeners.size > 0 || this.dials.size > 0 || this.openPeers > 0 || this.pipes.size > 0 || this.topics.size > 0
    this.keep = used ? (this.keep ?? this.face?.deref()) : undefined
  }

  /** Tells the application of a failure that no promise tells it of. */
  report(error: unknown, request?: Request): void {
    if (request) return this.reportOf(`the handler of ${JSON.stringify(request.route)} failed for peer ${request.peer.id}`, error, request.peer, request.route)
    if (!this.node()?.emit('error', error)) process.emitWarning(error instanceof Error ? error : String(error))
  }

  /** The same of a function of the application, with what it was called about. */
  reportOf(what: string, error: unknown, peer: Peer, route = ''): void {
    const words = `${what}: ${String(error)}`
    this.log({ level: 'error', code: 'handler_failed', text: words, peer: peer.id.slice(0, 8), address: peer.address, route })
    if (!this.node()?.emit('error', error)) process.emitWarning(words, { detail: error instanceof Error ? error.stack : undefined })
  }

  warn(words: string, peer: Peer): void {
    this.log({ level: 'warning', code: undefined, text: words, peer: peer.id.slice(0, 8), address: peer.address, route: '' })
    process.emitWarning(words)
  }

  private log(entry: LogEntry): void {
    try {
      this.onLog?.(entry)
    } catch (error) {
      this.report(error)
    }
    this.node()?.emit('log', entry)
  }

  /** Once it is closing. */
  closedError(): SealwireError {
    return this.lastReport ? errorOf(R.handle, { detail: 'the node was closed' }) : errorOf(R.closed, { detail: 'the node is closing' })
  }

  shutdown(deadline: number): void {
    if (this.closing) return
    this.closing = true
    this.topics.free()
    this.commands.flush()
    this.box.shutdown(deadline)
  }

  addListener(listener: Listener): number {
    const number = this.nextListener++
    this.listeners.set(number, listener)
    return number
  }

  addPeer(slot: number): Peer {
    const peer = new Peer(this, slot)
    this.peers[slot] = peer
    return peer
  }

  // ---- Requests -----------------------------------------------------------------------------------------------------

  add(pending: Pending): number {
    const tag = this.freeTags.pop() ?? this.pending.length
    this.pending[tag] = pending
    this.commands.hold()
    return tag
  }

  remove(tag: number): void {
    const pending = this.pending[tag]
    pending?.forget?.()
    this.pending[tag] = undefined
    this.freeTags.push(tag)
    this.commands.release()
  }

  waitForRoom(peer: Peer, command: Command): void {
    peer.waiting.push(command)
    const ms = command.low >>> 0
    if (command.op !== Op.request || ms === 0 || ms === 0xffffffff) return
    // The deadline counts from the call on.
    const timer = setTimeout(() => this.giveUp(peer, command, errorOf(R.timeout, { peer: peer.id })), ms)
    this.timers.set(command.tag, timer)
  }

  private giveUp(peer: Peer, command: Command, reason: unknown): void {
    const at = peer.waiting.indexOf(command)
    if (at < 0) return
    peer.waiting.splice(at, 1)
    this.abandon(command, reason)
  }

  /** A command that waited will never be run. */
  abandon(command: Command, reason: unknown): void {
    const queued = this.queued.get(command)
    this.queued.delete(command)
    queued?.reject(reason)
    command.receipt?.reject(reason)
    if (command.op !== Op.request) return
    this.stopTimer(command.tag)
    const pending = this.pending[command.tag]
    if (pending && !pending.settled) pending.reject(reason)
    this.remove(command.tag)
  }

  private stopTimer(tag: number): void {
    const timer = this.timers.get(tag)
    if (!timer) return
    clearTimeout(timer)
    this.timers.delete(tag)
  }

  has(tag: number, pending: Pending): boolean {
    return this.pending[tag] === pending
  }

  cancel(tag: number, reason: unknown): void {
    const pending = this.pending[tag]
    if (!pending || pending.settled) return
    pending.settled = true
    pending.reject(reason)
    const waiting = pending.peer.waiting.find((command) => command.op === Op.request && command.tag === tag)
    if (waiting) this.giveUp(pending.peer, waiting, reason)
    else this.commands.put(Op.cancel, pending.peer.slot, '', undefined, tag, 0, 0) // its end comes as an event
  }

  /** The reply in this place has reached its reader. */
  take(place: number): void {
    this.commands.put(Op.take, 0, '', undefined, place, 0, 0)
  }

  /** The source of a part that is sent failed. */
  sourceFailed(tag: number, parts: OutParts, error: Error): void {
    const pending = this.pending[tag]
    if (pending?.parts === parts && !pending.settled && !pending.replied) this.cancel(tag, error)
    else this.report(error)
  }

  receipt(slot: number, number: number, settle: Settle<void>): void {
    this.peers[slot]?.receipts.set(number, settle)
  }

  blocked(peer: number): boolean {
    return this.peers[peer]?.blocked ?? false
  }

  failed(command: Command, result: number): void {
    const peer = this.peers[command.peer]
    if (result === R.again && peer && peer.state !== PeerState.closed) {
      peer.blocked = true
      this.waitForRoom(peer, command)
      return
    }
    const gone = result === R.handle || result === R.closed || result === R.state || result === R.closing
    const error = this.errorFor(command, result)
    if (command.op === Op.request || command.receipt) this.abandon(command, error)
    else if (!gone) this.report(error)
    if (command.op === Op.reply && !gone) {
      this.commands.put(Op.status, command.peer, '', undefined, StatusCode.handlerFailed, command.low, command.high)
    }
  }

  errorFor({ peer, route }: Command, result: number): Error {
    return errorOf(result, { peer: this.peers[peer]?.id ?? '', detail: route === '' ? '' : `to ${route}` })
  }

  private writable(peer: Peer): void {
    peer.blocked = false
    const waiting = peer.waiting
    peer.waiting = []
    let next = 0
    while (next < waiting.length && !peer.blocked) {
      const command = waiting[next++]!
      if (this.commands.again(command) !== R.ok) {
        peer.blocked = true
        peer.waiting.push(command)
        continue
      }
      if (command.op === Op.request) this.stopTimer(command.tag)
      const queued = this.queued.get(command)
      this.queued.delete(command)
      queued?.resolve()
    }
    if (peer.blocked) this.commands.flush() // what was not taken stands before the rest
    if (next < waiting.length) peer.waiting = peer.waiting.concat(waiting.slice(next))
    if (peer.blocked) return
    for (const resolve of peer.rooms.splice(0)) resolve()
    peer.emit('writable', undefined)
  }

  private readonly wake = (): void => {
    const polled = this.box.poll()
    const all = typeof polled !== 'number'
    const count = all ? polled[0] : polled
    if (count === 0) return
    const buffer = all ? polled[1] : undefined
    const own = all ? polled[2] : undefined
    const extras = all ? polled[3] : undefined
    const { events } = this.commands
    let over = false
    this.commands.dispatching = true
    for (let i = 0, at = 0; i < count; i++, at += EVENT_ROW) {
      try {
        const place = events[at + E.place]!
        over = this.dispatch(events, at, place < 0 ? buffer : own![place], extras?.[i]) || over
      } catch (error) {
        this.report(error)
      }
    }
    this.commands.dispatching = false
    this.commands.flush()
    if (over) this.finish()
    else if (count === MAX_EVENTS) setImmediate(this.wake)
  }

  // True for the last event of all.
  private dispatch(row: Int32Array, at: number, buffer: ArrayBuffer | undefined, extra: unknown): boolean {
    const peer = this.peers[row[at + E.peer]!]
    switch (row[at + E.type] as EventType) {
      case EventType.message:
        if (peer) this.handlers.message(peer, row, at, buffer, extra)
        break
      case EventType.done:
        this.done(peer, row, at, buffer, extra)
        break
      case EventType.writable:
        if (peer) this.writable(peer)
        break
      case EventType.reply:
        this.replied(peer, row, at, buffer, extra as Came | undefined)
        break
      case EventType.question:
      case EventType.answer:
        if (peer) talked(this, peer, this.pending[row[at + E.tag]!]?.many, row, at, buffer, extra as Talked)
        break
      case EventType.partData:
      case EventType.partWritable:
      case EventType.partDone:
      case EventType.partProgress:
        peer?.parts.event(row, at, buffer, extra)
        break
      case EventType.receipt:
        if (peer) receipts(peer, row, at)
        break
      case EventType.pong: {
        const { token, ...pong } = extra as { token: number; roundTrip: number; clockDifference: number }
        peer?.pings.get(token)?.resolve(pong)
        break
      }
      case EventType.peerProved:
        if (peer) sayHello(this, peer, (extra as { id: string }).id)
        break
      case EventType.peerAsks:
        decideAbout(this, row[at + E.peer]!, extra as Ask)
        break
      case EventType.peerConnected:
        this.connected(row[at + E.peer]!, extra as Up)
        break
      case EventType.peerSuspended:
      case EventType.peerConnecting:
      case EventType.peerResumed:
        if (peer) linkChanged(this, this.node(), peer, row[at + E.type] as EventType, extra as NativeLink)
        break
      case EventType.peerClosing:
        peer?.emit('closing', this.errorOfClosed(extra as Closed) ?? errorOf(R.closed))
        break
      case EventType.peerClosed:
        if (peer) this.peerClosed(peer, extra as Closed)
        break
      case EventType.listening:
        this.listeners.get(row[at + E.tag]!)?.ready(extra as { address: string; ticket: string })
        break
      case EventType.httpRequest:
      case EventType.httpUpgrade: onHttp(this, row, at, extra); break
      case EventType.listenerClosed: {
        const listener = this.listeners.get(row[at + E.tag]!)
        this.listeners.delete(row[at + E.tag]!)
        listener?.over(this.errorOfClosed(extra as Closed))
        this.inUse()
        break
      }
      case EventType.log: this.log(entryOf(extra as NativeLine)); break
      case EventType.listenerPaused:
      case EventType.listenerResumed:
        this.listeners.get(row[at + E.tag]!)?.trouble(this.errorOfClosed(extra as Closed))
        break
      case EventType.pipeOutput:
        this.pipes.get(row[at + E.tag]!)?.output()
        break
      case EventType.pipeRoom:
        this.pipes.get(row[at + E.tag]!)?.room()
        break
      case EventType.pipeClosed:
        this.pipes.closed(row[at + E.tag]!, extra as PipeClosed)
        this.inUse()
        break
      case EventType.nodeClosed:
        this.lastReport = extra as CloseReport
        return true
      default: this.topics.event(peer, row, at, buffer, extra) // unknown ones are to be ignored
    }
    return false
  }

  private lastReport: CloseReport | undefined

  private finish(): void {
    const node = this.node()
    const report = this.lastReport!
    for (const listener of [...this.listeners.values()]) listener.over(undefined)
    for (const peer of this.peers) if (peer && peer.state !== PeerState.closed) this.peerClosed(peer, undefined)
    this.listeners.clear()
    this.pipes.lost()
    this.topics.lost()
    this.handlers.waits.lost(this.closedError())
    this.commands.flush()
    closed(this.box)
    this.box.terminate()
    this.keep = undefined
    this.overSettle(report)
    node?.emit('close', report)
  }

  private errorOfClosed(closed: Closed): SealwireError | undefined {
    if (closed.result === R.ok) return undefined
    const { detail, endpoint, id, code, text } = closed
    return errorOf(closed.result, { detail, endpoint, peer: id, status: code, text })
  }

  private connected(slot: number, extra: Up): void {
    const peer = this.peers[slot] ?? this.addPeer(slot)
    peer.id = extra.id
    peer.address = extra.address
    peer.data = extra.data
    peer.dialled = extra.dialled
    peer.clockDifference = extra.clockDifference
    if (peer.state === PeerState.closing) return // closed by this side before it was up
    peer.channel = extra.channel
    peer.state = extra.streams ? PeerState.streams : PeerState.open
    if (extra.streams) peer.stream = new PeerStream(this, peer, extra.streams)
    peer.up = true
    this.openPeers++
    const dial = this.dials.get(peer)
    this.dials.delete(peer)
    this.inUse()
    dial?.resolve(peer)
    if (extra.pipe !== undefined) this.pipes.get(extra.pipe)?.accepted?.resolve(peer)
    this.node()?.emit('peer', peer)
    this.topics.connected(peer)
  }

  private peerClosed(peer: Peer, closed: Closed | undefined): void {
    const reason = closed ? this.errorOfClosed(closed) : undefined
    const instead = closed?.instead === undefined ? undefined : this.peers[closed.instead]
    this.peers[peer.slot] = undefined
    this.topics.rules.gone(peer)
    peer.instead = instead
    peer.over(reason)
    this.handlers.waits.lost(peer.closedError(), peer)
    for (const pending of this.pending) {
      // Where the library did not tell of a request's end (the node was closed), this is it.
      if (pending?.peer === peer && !closed) this.endRequest(this.pending.indexOf(pending), pending, peer.closedError())
    }
    const dial = this.dials.get(peer)
    this.dials.delete(peer)
    if (instead?.connected) dial?.resolve(instead)
    else dial?.reject(reason ?? errorOf(R.cancelled))
    if (peer.up) this.openPeers--
    this.inUse()
  }

  private replied(peer: Peer | undefined, row: Int32Array, at: number, buffer: ArrayBuffer | undefined,
    came: Came | undefined): void {
    const pending = this.pending[row[at + E.tag]!]
    const place = row[at + E.code]!
    const length = row[at + E.length]!
    const reply = new Reply(length === 0 ? undefined : buffer, row[at + E.offset]!, length, row[at + E.bodyType]!, '')
    whence(this, reply, peer, row, at, came)
    if (!pending || pending.settled) {
      for (const part of reply.parts) part.destroy()
      this.take(place)
    } else if (pending.many) {
      pending.many.reply(reply, place)
    } else {
      this.take(place)
      pending.replied = true // it goes on until its parts have ended
      pending.resolve(reply)
    }
  }

  private done(peer: Peer | undefined, row: Int32Array, at: number, buffer: ArrayBuffer | undefined, extra: unknown): void {
    const tag = row[at + E.tag]!
    const result = row[at + E.result]!
    if (tag === 0) {
      const number = (row[at + E.low]! >>> 0) + row[at + E.high]! * 2 ** 32
      peer?.running.get(number)?.end(result)
      peer?.talks.get(number)?.end()
      peer?.talks.delete(number)
      peer?.running.delete(number)
      return
    }
    const pending = this.pending[tag]
    if (!pending) return
    const more = typeof extra === 'object' ? (extra as { text: string; bytes?: Uint8Array; type: number } & Came) : undefined
    const details = more?.bytes ? (more as { text: string; bytes: Uint8Array; type: number }) : undefined
    const text = more ? more.text : String(extra ?? '')
    if (result === R.ok) {
      const length = row[at + E.length]!
      this.remove(tag)
      if (!pending.settled) {
        const reply = new Reply(length === 0 ? undefined : buffer, row[at + E.offset]!, length, row[at + E.bodyType]!, text)
        whence(this, reply, peer, row, at, more)
        pending.resolve(reply)
      }
      return
    }
    const { id, address } = pending.peer
    const status = row[at + E.code]!
    const detail = result === R.status ? `${status}${text === '' ? '' : ` ${text}`}` : `the request to ${pending.route}`
    this.endRequest(tag, pending, errorOf(result, { peer: id, endpoint: address, status, text: result === R.status ? '' : text, detail, details }), text)
  }

  private endRequest(tag: number, pending: Pending, error: SealwireError, text = ''): void {
    this.remove(tag)
    if (text !== '') Object.assign(error, { text })
    if (!pending.settled) pending.reject(error)
  }
}
