// What can be said with the calls of a Peer, and what it tells.
import type { CarriedOptions } from './carried.js'
import { argumentError, type SealwireError } from './errors.js'
import type { OutPart } from './outparts.js'
import type { OutStream } from './part.js'
import { ReceiptStage } from './table.js'

export interface SendOptions extends CarriedOptions {
  /**
   * The promise is settled when the peer has taken the message (true or 'acknowledged'), or already when the last byte of its body was
   * handed to the system ('written'); it is rejected when that can no more happen.
   */
  receipt?: boolean | 'acknowledged' | 'written'
  /** Gives up waiting: for room in the queue, then the message is not sent, or for the receipt. Ends its parts. */
  signal?: AbortSignal
  /** Streams and files that go with it. The promise is settled when all has been sent, rejected when the peer stops one. */
  parts?: readonly (OutPart | OutStream)[]
  /** The promise is settled with the message's UUID, which its receiver sees too. */
  uuid?: boolean
}

/** What the core is to tell of a message. */
export function stageOf(receipt: SendOptions['receipt']): ReceiptStage {
  if (receipt === true || receipt === 'acknowledged') return ReceiptStage.acknowledged
  if (receipt === 'written') return ReceiptStage.written
  if (receipt !== undefined && receipt !== false) throw argumentError("receipt is true, false, 'acknowledged' or 'written'")
  return ReceiptStage.none
}

export interface RequestOptions extends CarriedOptions {
  /** Milliseconds until the (first) reply; Infinity waits for ever. Default: the node's. */
  timeout?: number
  /** Milliseconds from each reply to the next, of requestMany() and converse(); default: for ever. */
  between?: number
  /** Milliseconds for the whole exchange; default: for ever. */
  total?: number
  /** 16 bytes: a request of the same key is not run again, but answered as the first was. */
  idempotencyKey?: Uint8Array
  /**
   * Of request(): it is made again, under one key, so that its handler runs once: where `timeout` passes, which is for each, and
   * where the peer refused it unrun for a limit; `total` is for all of them. Default: 1.
   */
  attempts?: number
  /** The longest pause in milliseconds before the second attempt, doubled for each, up to 5,000; or first and longest. Default: 100. */
  backoff?: number | { first: number; most: number }
  /** Aborting cancels the request at the peer too, where the handler's `request.signal` fires. */
  signal?: AbortSignal
  /** Streams and files that go with it. */
  parts?: readonly (OutPart | OutStream)[]
}

export interface ClosePeerOptions {
  /** 0, or a number from 64 to 4,095 of this application's own. */
  code?: number
  /** Words for the peer, at most 1,024 bytes. */
  text?: string
  /** How long what runs may take to end, in milliseconds; default 2,000. */
  deadline?: number
}

/** What has become of the connection that carries a session, or is to. */
export interface Link {
  /** Of `suspended` how it was lost, of `connecting` why there is none yet; of `resumed` why it could not move and goes on where it was. */
  reason: SealwireError | undefined
  /** Of the connection that is lost, dialled or found. */
  address: string
  /**
   * Of `connecting` which one this is, from 1: of connect() among the addresses of its host, else since it was lost. Of `resumed` how
   * many it took, 0 where the peer dialled.
   */
  attempt: number
  /** Of `resumed`: for how many milliseconds nothing was carried. */
  suspended: number
}

export interface PeerEvents {
  /** Its connection broke; the session waits for another. What is sent meanwhile leaves then. */
  suspended: Link
  /** It is dialled again; for the attempts of connect() see `link` of its node. */
  connecting: Link
  /** The session goes on, with nothing lost, or has moved. */
  resumed: Link
  /** The session is over; the reason, or undefined where this side closed it. */
  close: SealwireError | undefined
  /** The peer takes no new requests. */
  closing: SealwireError
  /** There is room in the send queue again. */
  writable: undefined
}
