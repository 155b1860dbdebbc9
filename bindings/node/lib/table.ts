// The rows that both halves share: the same numbers stand in src/node_box.h, src/events.cpp and src/commands.cpp.

export const EVENT_ROW = 12
export const COMMAND_ROW = 10
export const MAX_EVENTS = 256
export const MAX_COMMANDS = 1024
export const TEXT_BYTES = 256 * 1024
export const SEALED_TOPIC = 2 ** 30 // in a topic's number: it has a secret

/** The places of a row that tells of an event. */
export const enum E {
  type,
  peer,
  tag, // of the object: request, listener; of a message its route's number
  offset,
  length,
  bodyType,
  result, // of a message: what it expects
  low, // number of the exchange or first receipt
  high,
  time, // of events of parts: the part's number
  code, // of a reply: where it waits for its reader
  place, // of the body: own buffer, or -1 for the common one
}

/** The places of a row that is a command. */
export const enum C {
  op,
  peer,
  route,
  routeLength, // of a route without a number: its text lies before the body
  offset,
  length,
  flags,
  tag, // of a request; of a status its code
  low, // timeout, or number of the exchange; comes back as the receipt's number
  high,
}

export const enum Op {
  send = 1,
  request = 2,
  reply = 3,
  status = 4,
  cancel = 5,
  take = 6,
}

export const enum Flag {
  typeMask = 0xff,
  receipt = 0x100,
  external = 0x200,
  many = 0x400,
  written = 0x800, // with receipt: wanted when the message is written
  draft = 0x1000, // the number of the route is that of a draft
}

export const enum Flush {
  holds = 1,
  releases = 2,
}

/** `sw_event_type`. */
export const enum EventType {
  listening = 1,
  listenerClosed = 2,
  peerAsks = 3,
  peerConnected = 4,
  peerClosing = 5,
  peerClosed = 6,
  message = 7,
  reply = 8,
  done = 9,
  writable = 10,
  receipt = 11,
  pong = 12,
  stalled = 13,
  log = 14,
  nodeClosed = 15,
  partData = 16,
  partWritable = 17,
  partDone = 18,
  partProgress = 19,
  question = 20,
  answer = 21,
  peerProved = 22,
  pipeOutput = 23,
  pipeRoom = 24,
  pipeClosed = 25,
  httpRequest = 26,
  httpUpgrade = 27,
  listenerPaused = 31,
  listenerResumed = 32,
  peerSuspended = 28,
  peerConnecting = 29,
  peerResumed = 30,
  topicMessage = 33,
  topicJoined = 34,
  topicMemberJoined = 35,
  topicMemberLeft = 36,
  topicRefused = 37,
  topicWritable = 38,
  topicDropped = 39,
  topicLeft = 40,
  topicAsks = 41,
}

/** `sw_receipt_stage`. */
export const enum ReceiptStage {
  none = 0,
  acknowledged = 1,
  written = 2,
}

/** `sw_expects`. */
export const enum Expects {
  none = 0,
  one = 1,
  many = 2,
}

/** `sw_body_type`. */
export const enum BodyType {
  none = -1,
  bytes = 0,
  utf8 = 1,
  json = 2,
  messagePack = 3,
  cbor = 4,
}

/** The results that the code here decides upon; all others are only told. */
export const enum R {
  ok = 0,
  argument = 1,
  handle = 2,
  closed = 3,
  state = 4,
  again = 8,
  tooMany = 10,
  timeout = 80,
  cancelled = 81,
  unsupported = 84,
  closing = 88,
  status = 89,
}

/** STATUS codes of the protocol. */
export const enum StatusCode {
  ok = 0,
  noRoute = 6,
  handlerFailed = 13,
}
