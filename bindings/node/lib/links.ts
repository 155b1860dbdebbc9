// What becomes of the connection that carries a session.
import { errorOf } from './errors.js'
import type { Peer } from './peer.js'
import type { Link } from './peer_options.js'
import { EventType, R } from './table.js'

export interface NativeLink {
  result: number
  detail: string
  address: string
  attempt: number
  suspended: number
}

export function linkChanged(peer: Peer, type: EventType, native: NativeLink): void {
  const { result, detail, address, attempt, suspended } = native
  const reason = result === R.ok ? undefined : errorOf(result, { detail, endpoint: address, peer: peer.id })
  const link: Link = { reason, address, attempt, suspended }
  if (type === EventType.peerConnecting) return void peer.emit('connecting', link)
  peer.suspended = type === EventType.peerSuspended
  if (!peer.suspended) peer.address = address
  peer.emit(peer.suspended ? 'suspended' : 'resumed', link)
}
