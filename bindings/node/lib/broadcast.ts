// Peers by their ids, and one message to all of them.
import { encoded, encodedBy, type Command, type Target } from './commands.js'
import type { Core } from './core.js'
import { argumentError, errorOf } from './errors.js'
import { check } from './known.js'
import type { Body } from './message.js'
import { PeerState, type Peer } from './peer.js'
import { Flag, Op, R } from './table.js'

export interface BroadcastOptions {
  /** Peers for which it returns true. What it throws, the call throws. */
  filter?: (peer: Peer) => boolean
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
  const chosen = openPeers(core).filter((peer) => !filter || filter(peer) === true)
  commands.flush() // what was sent before goes before
  const [sent, ...left] = core.box.broadcast(draft ? draft.place(type) : (route as string), type, bytes, chosen.map(({ slot }) => slot))
  let failure: unknown
  const waits: Promise<number>[] = []
  for (let i = 0; i < left.length; i += 2) {
    const peer = core.peers[left[i]!]!
    if (left[i + 1] !== R.again) {
      failure ??= errorOf(left[i + 1]!, { peer: peer.id, endpoint: peer.address, detail: `to ${route}` })
      continue
    }
    const command: Command = { op: Op.send, peer: peer.slot, route, body: bytes, bodyType: type | (draft ? Flag.draft : 0), tag: 0, low: 0,
      high: 0, receipt: undefined }
    const gone = (reason: unknown) => {
      if (peer.state !== PeerState.closed || core.closing) failure ??= reason
      return 0
    }
    waits.push(peer.wait(command, signal).then(() => 1, gone))
  }
  let later = 0
  for (const one of await Promise.all(waits)) later += one
  if (failure !== undefined) throw failure
  return sent! + later
}
