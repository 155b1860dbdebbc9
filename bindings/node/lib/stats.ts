// Counters: what a node, a peer and a route have done, and what they have to do now.

/** What a peer has done since it connected, and what it has to do now. */
export interface PeerStats {
  /** Sessions that were up. */
  sessions: number
  /** How often sessions went on over another connection. */
  resumed: number
  /** One-way, requests, replies, questions, answers. */
  messagesSent: number
  messagesReceived: number
  /** Of the messages, without their parts. */
  bodyBytesSent: number
  bodyBytesReceived: number
  /** Of streams and files. */
  partBytesSent: number
  partBytesReceived: number
  /** Among the messages. */
  requestsSent: number
  /** Among them. */
  requestsReceived: number
  repliesSent: number
  repliesReceived: number
  /** Encrypted units of the connection. */
  recordsSent: number
  recordsReceived: number
  /** All that went over the transport. */
  wireBytesSent: number
  wireBytesReceived: number
  /** Messages of the peer without a handler. */
  refusedNoRoute: number
  /** Messages of the peer that were larger than maxMessageBytes. */
  refusedTooBig: number
  /** Messages of the peer that came while this side closed. */
  refusedClosing: number
  /** Messages of the peer that need what this release does not know. */
  refusedOther: number
  /** Of exchanges that were over at this side. */
  lateFrames: number
  /** Of messagesSent: dropped before they left, by a cancel or the end of their exchange. */
  cancelled: number
  /** Of messagesSent: lost by the end of their session. */
  notSent: number
  /** Of messagesSent: nobody can tell. */
  outcomeUnknown: number
  /** Exchanges that ran when their session ended. */
  exchangesCut: number
  /** Sessions that are up. From here on: what is now. */
  connected: number
  /** That wait to be sent, or to be received by the peer. */
  queuedBytes: number
  /** Of messages of the peer that handlers have not taken. */
  untakenBytes: number
  requestsRunning: number
  /** Requests of the peer that are not answered. */
  serving: number
  questions: number
  /** Of the last ping, in milliseconds; undefined before one was answered. */
  roundTrip: number | undefined
}

/** What runs with a peer. */
export interface Running {
  /** Requests of this side. */
  requests: number
  /** Those of the peer that are not answered. */
  serving: number
  /** Questions of this side. */
  questions: number
  /** That wait to be sent, or to be received by the peer. */
  queuedBytes: number
}

/** The answer to a ping. */
export interface Pong {
  /** Milliseconds. */
  roundTrip: number
  /** The peer's clock minus this one's, in milliseconds. */
  clockDifference: number
}

/** What has come to a route, and what was sent to one of the peers'. */
export interface RouteStats {
  messagesReceived: number
  /** Among them. */
  requestsReceived: number
  bodyBytesReceived: number
  /** One-way and requests, without replies and questions. */
  messagesSent: number
  requestsSent: number
  bodyBytesSent: number
}

/** The sums over all peers, with those that have gone; of round trips the longest. */
export interface NodeStats extends PeerStats {
  /** To be fetched. */
  eventsWaiting: number
  eventsHeld: number
  /** Connections that came in, strangers among them. */
  accepted: number
  /** Of those that were closed at once. */
  refusedByAddress: number
  /** Peers that were told that there are too many. */
  refusedByLimit: number
  /** Handshakes beyond those at once. */
  refusedBusy: number
  /** Messages of topics that a member did not get, counted for each. */
  topicDropped: number
  /** ... that this node, as a hub, has passed on: once, for however many peers. */
  topicPassedOn: number
  /** By name; the empty one is the handler of all that have no other, and what was sent to more routes than are counted apart. */
  routes: Record<string, RouteStats>
}
