// Listener: one address at which a node takes connections.
import type { Core } from './core.js'
import { Emitter } from './emitter.js'
import { argumentError, errorOf, type SealwireError } from './errors.js'
import { check } from './known.js'
import { rangesOf, type AddressLists, type ConnectionLimits } from './limits.js'
import type { ChannelOptions } from './options.js'
import { R } from './table.js'
import type { HttpOptions } from './web.js'
import { nativeTls, type TlsOptions } from './tls.js'

export interface ListenOptions extends ChannelOptions {
  backlog?: number
  /** [::] takes no IPv4. */
  ipv6Only?: boolean
  /** Of the socket file; default 0o600. */
  unixMode?: number
  /** Seconds of TCP keepalive; default none. */
  keepalive?: number
  /**
   * Handshakes begun and not finished, at once; default 512. This and the next four count handshakes whose first message
   * shows the network key; Infinity is no limit.
   */
  maxHandshakes?: number
  /** The same, from one address (IPv6: its /64); default 16. By address only loopback has no limits unless they are set. */
  maxHandshakesPerAddress?: number
  /** That begin, from one address; default 20. The next wait. */
  handshakesPerSecond?: number
  /** That begin at once before that pace holds; default 5. */
  handshakeBurst?: number
  /** Of the time of the node's thread; default 50. The next wait. */
  handshakeSharePercent?: number
  /** Of ws:// and wss://, whose port answers HTTP as well. */
  http?: HttpOptions
  /** How many connections may come in, beside those of the node. */
  connectionLimits?: ConnectionLimits
  /** Who may connect by its address: addresses, or ranges as 192.0.2.0/24. With any, others are closed without a word. */
  allowAddresses?: Iterable<string>
  /** Who may not, also if it is allowed. */
  denyAddresses?: Iterable<string>
  /** Of tls:// and wss://, and needed there. */
  tls?: TlsOptions
  /** Aborting closes the listener. */
  signal?: AbortSignal
}

export interface ListenerEvents {
  /** It listens no more; the reason, or undefined where it was closed. */
  close: SealwireError | undefined
  /** It does not accept at the moment, mostly for want of file descriptors; it goes on by itself. */
  paused: SealwireError
  /** It accepts again. */
  resumed: undefined
}

/** An address at which a node takes connections. It keeps the process alive until it is closed, or unref() is called. */
export class Listener extends Emitter<ListenerEvents> {
  /** With the real port. */
  address = ''
  /** Address and this node's id: what others connect to. */
  ticket = ''

  /** @internal */
  number = 0
  /** @internal */
  http: HttpOptions | undefined
  private held = true
  private open = true
  /** Settled when it listens no more. */
  readonly closed: Promise<void>
  private closedSettle!: () => void

  /** @internal `settle` is told whether it listens. */
  constructor(
    private readonly core: Core,
    private settle: { resolve(listener: Listener): void; reject(reason: unknown): void } | undefined,
  ) {
    super()
    this.closed = new Promise((resolve) => (this.closedSettle = resolve))
    core.commands.hold()
  }

  /**
   * Other certificates, for connections from now on; those that are up stay. Files are read here: call it again when they have
   * changed. Throws a TlsError, and leaves the listener as it was, where they do not fit.
   */
  setTls(tls: TlsOptions): void {
    if (tls === undefined) throw argumentError('tls is not an object')
    this.core.box.setTls(this.number, nativeTls(tls)!)
  }

  /** Stops listening; peers stay. */
  close(): Promise<void> {
    if (this.open) this.core.box.closeListener(this.number)
    return this.closed
  }

  /** Replaces the lists of who may connect by its address; connections that are up stay. */
  setAddresses(lists: AddressLists): void {
    check(lists, 'addresses')
    this.core.box.setAddresses(this.number, rangesOf(lists.allow, 'allow'), rangesOf(lists.deny, 'deny'))
  }

  /** It keeps the process alive: as it does from the start. */
  ref(): this {
    if (this.open && !this.held) {
      this.held = true
      this.core.commands.hold()
    }
    return this
  }

  /** The process may end although it listens. */
  unref(): this {
    if (this.held) {
      this.held = false
      this.core.commands.release()
    }
    return this
  }

  /** @internal */
  ready({ address, ticket }: { address: string; ticket: string }): void {
    this.address = address
    this.ticket = ticket
    this.settle?.resolve(this)
    this.settle = undefined
  }

  /** @internal It does not accept, or accepts again. */
  trouble(reason: SealwireError | undefined): void {
    if (reason) this.emit('paused', reason)
    else this.emit('resumed', undefined)
  }

  /** @internal Its last event. */
  over(reason: SealwireError | undefined): void {
    if (!this.open) return
    this.open = false
    this.unref()
    const { settle } = this
    this.settle = undefined
    this.closedSettle()
    if (settle) settle.reject(reason ?? errorOf(R.cancelled))
    else this.emit('close', reason)
  }
}
