// Peers by their ids, and one message to all of them.
import { encoded, encodedBy, type Target } from './commands.js'
import type { Core } from './core.js'
import { argumentError, errorOf } from './errors.js'
import { check } from './known.js'
import type { Body } from './message.js'
import { PeerState, type Peer } from './peer.js'
import { Op, R } from './table.js'
import { accepted } from './thenable.js'

export interface BroadcastOptions {
  /** A plain function: peers for which it returns something true. What it throws, the call throws. */
  filter?: (peer: Peer) => unknown
  /** Ends the wait for room: those who have not got it by then do not. */
  signal?: AbortSignal
}

const openPeers = (core: Core): Peer[] => core.peers.filter((peer): peer is Peer => peer?.state === PeerState.open)

/** @internal The peer with that id that is connected, as far as events have told. */
export function findPeer(core: Core, id: string): Peer | undefined {
  if (typeof id !== 'string') throw argumentError('id is not a string')
  const slot = core.box.findPeer(id)
  const peer = slot < 0 ? undefined : core.peers[slot]
  if (slot === -1 || peer?.state === PeerState.open) return peer
  return openPeers(core).find((other) => other.id === id) // the newest is not told of yet
}

/** @internal */
export async function broadcast(core: Core, route: Target, value: Body, options: BroadcastOptions = {}): Promise<number> {
  check(options, 'broadcast')
  const { filter, signal } = options
  const { commands } = core
  if (filter !== undefined && typeof filter !== 'function') throw argumentError('a filter is a function of the peer')
  if (signal?.aborted) throw signal.reason
  if (core.closing) throw core.closedError()
  const draft = typeof route === 'string' ? undefined : commands.draftOf(route)
  const [bytes, type] = draft ? encodedBy(draft, value) : encoded(value)
  let failure: unknown
  // Those who have no room.
  const give = (peers: Peer[]): Peer[] => {
    const [took, ...left] = core.box.broadcast(draft ? draft.place(type) : (route as string), type, bytes, peers.map(({ slot }) => slot))
    sent += took!
    const full: Peer[] = []
    for (let i = 0; i < left.length; i += 2) {
      const peer = core.peers[left[i]!]!
      if (left[i + 1] === R.again) full.push(peer)
      else failure ??= errorOf(left[i + 1]!, { peer: peer.id, endpoint: peer.address, detail: `to ${route}` })
    }
    return full
  }
  // In its turn among what waits for room there: who closes meanwhile does not take it.
  const giveLater = async (peer: Peer): Promise<void> => {
    if (signal?.aborted) throw signal.reason // as by a filter
    const run = (): R.ok | R.again => {
      commands.flush()
      try {
        return peer.state === PeerState.open && give([peer]).length > 0 ? R.again : R.ok
      } catch (error) {
        failure ??= error
        return R.ok
      }
    }
    const command = { op: Op.send, peer: peer.slot, route, body: bytes, bodyType: type, tag: 0, low: 0, high: 0, receipt: undefined, run }
    try {
      await peer.wait(command, signal)
    } catch (error) {
      if (signal?.aborted) throw error
      if (core.closing) throw core.closedError()
    }
  }
  let sent = 0
  const chosen = openPeers(core).filter((peer) => !filter || accepted(filter(peer)))
  commands.flush() // what was sent before goes before
  const [waiting, free] = [chosen.filter(({ blocked }) => blocked), chosen.filter(({ blocked }) => !blocked)]
  const waits = [...waiting, ...give(free)].map((peer) => giveLater(peer).catch((error) => (failure ??= error)))
  await Promise.all(waits)
  if (failure !== undefined) throw failure
  return sent
}
