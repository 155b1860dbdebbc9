// The package's face: everything that `import ... from 'sealwire'` and `require('sealwire')` give.
import { native } from './native.js'

export {
  AddressError, CancelledError, ClosedError, ConnectionError, DeliveryError, FileError, KeyError, PermissionError, QueueFullError,
  RequestError, SealwireError, StatusError, SystemError, TimeoutError, TlsError, UsageError,
} from './errors.js'
export type { BroadcastOptions } from './broadcast.js'
export type { CarriedOptions } from './carried.js'
export { Conversation, Said } from './conversation.js'
export { Encoded, encode, type BodyKind } from './codecs.js'
export { Draft, type DraftOptions } from './draft.js'
export { File, type FileOptions } from './file.js'
export { Emitter, SealwireEvent } from './emitter.js'
export { Identity, network, peerId, ticket, topicSecret } from './identity.js'
export { ConnectionLimits, type AddressLists, type ConnectionCounts, type ConnectionLimitsOptions } from './limits.js'
export { Listener, type ListenOptions, type ListenerEvents } from './listener.js'
export type { LogEntry, LogFields, LogLevel, LogOption, Logger } from './log.js'
export type { Replies } from './many.js'
export { Answer, Message, Reply, Request, Status, type Body } from './message.js'
export {
  Node, type Ask, type CloseReport, type ConnectOptions, type Decision, type NodeEvents, type NodeOptions,
} from './node.js'
export type { OutPart, Source } from './outparts.js'
export { IncompleteReadError, OutStream, Part, type OutStreamOptions, type PartKind, type Progress, type SaveOptions } from './part.js'
export { Peer } from './peer.js'
export type { AcceptPipeOptions, Carrier, ConnectPipeOptions, PipeOptions } from './pipes.js'
export type { Channel, ChannelOptions, Limits } from './options.js'
export { PeerStream } from './peer_stream.js'
export type { ClosePeerOptions, Link, PeerEvents, RequestOptions, SendOptions } from './peer_options.js'
export type { Middleware, RouteOptions } from './router.js'
export type { NodeStats, PeerStats, Pong, RouteStats, Running } from './stats.js'
export type { TlsOptions } from './tls.js'
export { Topic, TopicMessage, type Member, type PublishOptions, type Slow, type TopicEvents, type TopicOptions } from './topic.js'
export type { TopicAsk, TopicRight, TopicRule, TopicRulesOptions } from './topic_rules.js'
export type { WaitOptions } from './waits.js'
export type { HttpAnswer, HttpAnswerLike, HttpOptions, HttpRequest } from './web.js'
export { BAD_CALL, NO_FUNCTION, Remote, type ExposeOptions } from './rpc.js'

/** The release of the library inside, e.g. `0.1.0`. */
export const version: string = native.version()

/** The number that changes when the C ABI breaks. */
export const abiVersion: number = native.abiVersion()

/** Release, bundled libraries and compiler in one line. */
export const buildInfo: string = native.buildInfo()
