// One class for each family of failures, and the table that says which result belongs to which.
import { decode } from './codecs.js'
import { native } from './native.js'
import { R } from './table.js'

/** What is known of a failure besides its result. */
export interface Particulars {
  detail?: string
  peer?: string | undefined
  endpoint?: string
  status?: number
  text?: string
  /** Of a STATUS, as they came. */
  details?: { bytes: Uint8Array; type: number } | undefined
}

/** Every failure that the library tells. `code` is a stable name such as `no_answer`. */
export class SealwireError extends Error {
  /** The stable name of the result, e.g. `no_answer`. */
  readonly code: string
  /** The number of the result, as in C. */
  readonly result: number
  /** The particulars; may be empty. */
  readonly detail: string
  /** What to do about it. */
  readonly hint: string
  /** The peer's id, where one is concerned. */
  readonly peer: string | undefined
  /** The address, where one is concerned. */
  readonly endpoint: string | undefined
  /** The code of the peer's STATUS, CLOSE or rejection; from 64 on it is its application's. */
  readonly status: number
  /** The peer's words. */
  readonly text: string

  constructor(result: number, particulars: Particulars = {}) {
    const [name, clause, hint] = native.describeResult(result)
    const { detail = '', peer, endpoint, status = 0, text = '' } = particulars
    const words = text === '' ? '' : `, it says ${JSON.stringify(text)}`
    const place = endpoint === undefined || endpoint === '' || detail.includes(endpoint) ? '' : ` (${endpoint})`
    super(`${clause}${detail === '' ? '' : `: ${detail}`}${place}${words}. ${hint}`.trim())
    this.name = new.target.name
    this.code = name
    this.result = result
    this.detail = detail
    this.hint = hint
    this.peer = peer
    this.endpoint = endpoint
    this.status = status
    this.text = text
  }
}

/** The call itself was wrong: an argument, or a call at the wrong time. */
export class UsageError extends SealwireError {}
/** The object is closing or closed. */
export class ClosedError extends SealwireError {}
/** The send queue is full. */
export class QueueFullError extends SealwireError {}
/** The operating system refused. */
export class SystemError extends SealwireError {}
/** An address, a name or a ticket cannot be used. */
export class AddressError extends SealwireError {}
/** A key, key file or network text cannot be used. */
export class KeyError extends SealwireError {}
/** A file cannot be sent or saved: missing, changed meanwhile, there already, the disk is full, other bytes than hashed. */
export class FileError extends SealwireError {}
/** Not permitted: by the operating system, or by the peer or its application, whose words are `status` and `text`. */
export class PermissionError extends SealwireError {}
/** The peer cannot be reached, or the session with it has ended. */
export class ConnectionError extends SealwireError {}
/** TLS did not come about: `code` says what is wrong with which certificate, or what else. */
export class TlsError extends ConnectionError {}
/** A deadline has passed. */
export class TimeoutError extends SealwireError {}
/** Cancelled by either end. */
export class CancelledError extends SealwireError {}
/** The peer or the library cannot serve this request. */
export class RequestError extends SealwireError {}
/** A message was not delivered, or nobody can tell. */
export class DeliveryError extends SealwireError {}
/** The peer's application answered with a status of its own: see `status`, `text` and `details`. */
export class StatusError extends SealwireError {
  private readonly came: { bytes: Uint8Array; type: number } | undefined

  constructor(result: number, particulars: Particulars = {}) {
    super(result, particulars)
    Object.defineProperty(this, 'came', { value: particulars.details, enumerable: false })
  }

  /** What its application said besides, for programs; undefined where nothing. Throws a SyntaxError where it is not what it says. */
  get details(): any {
    return this.came && decode(this.came.bytes, this.came.type)
  }
}

type ErrorClass = new (result: number, particulars?: Particulars) => SealwireError

const families: [ErrorClass, number[]][] = [
  [UsageError, [1, 4, 5, 6]],
  [ClosedError, [2, 3]],
  [SystemError, [7, 9, 26]],
  [QueueFullError, [8]],
  [AddressError, [20, 21, 22]],
  [PermissionError, [23, 46, 47]],
  [KeyError, [24, 25]],
  [FileError, [27, 28, 29, 30, 31, 32, 33, 34]],
  [ConnectionError, [40, 41, 43, 45, 48, 55, 56, 57, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 88]],
  [TimeoutError, [42, 44, 80]],
  [CancelledError, [81]],
  [RequestError, [10, 82, 83, 84, 87]],
  [DeliveryError, [85, 86]],
  [StatusError, [89]],
  [TlsError, [100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115]],
]
const byResult = new Map<number, ErrorClass>()
for (const [family, results] of families) for (const result of results) byResult.set(result, family)

/** The exception of a result. */
export function errorOf(result: number, particulars?: Particulars): SealwireError {
  return new (byResult.get(result) ?? SealwireError)(result, particulars)
}

export const argumentError = (detail: string): SealwireError => errorOf(R.argument, { detail })

native.setErrorFactory((result, detail) => errorOf(result, { detail }))
