// What becomes of the connection that carries a session.
import type { Core } from './core.js'
import { errorOf } from './errors.js'
import type { Node } from './node.js'
import type { Peer } from './peer.js'
import type { Link } from './peer_options.js'
import { EventType, R } from './table.js'

export interface NativeLink {
  result: number
  detail: string
  address: string
  attempt: number
  suspended: number
  pipe?: number
}

export function linkChanged(core: Core, node: Node | undefined, peer: Peer, type: EventType, native: NativeLink): void {
  const { result, detail, address, attempt, suspended } = native
  const reason = result === R.ok ? undefined : errorOf(result, { detail, endpoint: address, peer: peer.id })
  const link: Link = { reason, address, attempt, suspended }
  const state = type === EventType.peerConnecting ? 'connecting' : type === EventType.peerSuspended ? 'suspended' : 'resumed'
  if (state !== 'connecting') peer.suspended = state === 'suspended'
  if (state === 'resumed') {
    peer.address = address
    if (native.pipe !== undefined) core.pipes.get(native.pipe)?.accepted?.resolve(peer) // which it has come back over
  }
  peer.emit(state, link)
  node?.emit('link', { peer, state, ...link })
}
