// A request: what is kept of it while it is under way, and what it says besides.
import { extrasOf } from './carried.js'
import type { Settle, Target } from './commands.js'
import type { Replies } from './many.js'
import type { Reply } from './message.js'
import type { NativeMore } from './native.js'
import { duration } from './options.js'
import type { OutParts } from './outparts.js'
import type { Peer } from './peer.js'
import type { RequestOptions } from './peer_options.js'
import { type Attempts, once } from './retry.js'

/** @internal A request under way. */
export interface Pending extends Settle<Reply> {
  peer: Peer
  route: Target
  settled: boolean
  forget: (() => void) | undefined // of its AbortSignal
  many: Replies | undefined // of a request for any number of replies
  parts: OutParts | undefined // that go with it
  replied: boolean // it goes on for the sake of parts
}

// What the commands of a turn have no place for.
export function moreOf(options: RequestOptions, converse: boolean, attempts?: Attempts): NativeMore | undefined {
  const { between, total, idempotencyKey } = options
  const extras = extrasOf(options, idempotencyKey)
  if (!extras && between === undefined && total === undefined && !converse && !attempts) return undefined
  return [extras, duration(between, 'between'), duration(total, 'total'), converse ? 1 : 0, 0, ...(attempts ?? once)]
}
