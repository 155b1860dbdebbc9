// What the events that begin and end a session bring.
import type { Ask } from './node.js'
import type { Streams } from './peer_stream.js'

/** Of a peer or a listener: its last event. */
export interface Closed {
  result: number
  code: number
  text: string
  detail: string
  endpoint: string
  id: string | undefined // of a peer
  notSent: number
  outcomeUnknown: number
  instead?: number // the slot of the peer that stands in its place
}

/** A session is up. */
export interface Up extends Ask {
  dialled: boolean
  clockDifference: number
  pipe?: number // that carries it
  streams?: Streams // of one that has no session
}
