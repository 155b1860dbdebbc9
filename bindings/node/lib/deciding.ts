// What applications tell each other with the handshake, and who is let in.
import type { Core } from './core.js'
import { argumentError, SealwireError } from './errors.js'
import { Status } from './message.js'
import type { Ask } from './node.js'
import { PeerState, type Peer } from './peer.js'
import { R } from './table.js'
import { isThenable } from './thenable.js'

/** Calls `make`; `then` or `failed` get its result, or that of its promise. */
function settle(make: () => unknown, then: (value: unknown) => void, failed: (error: unknown) => void): void {
  try {
    const value = make()
    if (isThenable(value)) value.then(then, failed)
    else then(value)
  } catch (error) {
    failed(error)
  }
}

/** The peer that is dialled has proved its id: its application is told what is made for it. */
export function sayHello(core: Core, peer: Peer, id: string): void {
  const failed = (error: unknown) => {
    core.dials.get(peer)?.reject(error)
    if (peer.state < PeerState.closing) core.box.closePeer(peer.slot, 0, '', 1)
    peer.state = PeerState.closing
  }
  const say = (data: unknown) => {
    if (!core.dials.has(peer) || peer.state >= PeerState.closing) return // it has gone meanwhile
    if (!(data instanceof Uint8Array)) return failed(argumentError('data is no Uint8Array'))
    try {
      core.box.hello(peer.slot, data)
    } catch (error) {
      failed(error)
    }
  }
  settle(() => core.hellos.get(peer)?.(id), say, failed)
}

/** A peer asks to come in, or for the data of the answer alone. */
export function decideAbout(core: Core, slot: number, ask: Ask): void {
  const peer = core.addPeer(slot)
  peer.state = PeerState.asking
  Object.assign(peer, { id: ask.id, address: ask.address })
  const decide = (answer: unknown) => {
    if (peer.state !== PeerState.asking) return // it has gone meanwhile
    const { acceptData } = core
    let wrong = false
    try {
      const data = answer !== null && typeof answer === 'object' ? (answer as { data?: unknown }).data : undefined
      if (answer instanceof Status) core.box.reject(slot, answer.code, answer.text)
      else if (data instanceof Uint8Array) core.box.accept(slot, data)
      else if (answer === true && ask.channel === 'shs1') core.box.accept(slot, undefined)
      else if (answer === true && typeof acceptData === 'function') settle(() => acceptData(ask), made, failed)
      else if (answer === true) core.box.accept(slot, acceptData as Uint8Array | undefined)
      else {
        core.box.reject(slot, 0, '')
        wrong = answer !== false
      }
    } catch (error) {
      if (error instanceof SealwireError && (error.result === R.handle || error.result === R.closed)) return
      core.report(error)
      core.box.reject(slot, 0, '') // the answer was not valid
    }
    if (wrong) core.report(argumentError('onAsk gives true, false, { data } or a Status; who has asked is refused'))
  }
  const made = (data: unknown) => {
    if (data instanceof Uint8Array) decide({ data })
    else failed(argumentError('data is no Uint8Array'))
  }
  const failed = (error: unknown) => {
    decide(error instanceof Status ? error : false)
    if (!(error instanceof Status)) core.report(error)
  }
  settle(() => (ask.allowed ? true : core.onAsk ? core.onAsk(ask) : false), decide, failed)
}
