// Messages with parts, and replies of which more follow: calls of their own, beside the commands of one turn.
import { encoded, encodedBy, type Command, type Target } from './commands.js'
import type { Core } from './core.js'
import { errorOf } from './errors.js'
import { Answer, type Body, type Reply, type Request } from './message.js'
import { extrasOf, type Carried } from './carried.js'
import type { NativeMore } from './native.js'
import { OutParts } from './outparts.js'
import { Part } from './part.js'
import type { Peer } from './peer.js'
import { once } from './retry.js'
import { E, type Expects, Op, R } from './table.js'

/** What is stated of a part that came, and its number. */
export type CameHead = [name: string, size: number, kind: number, type: number, number: number]

/** @internal What came with a message beside its body. */
export interface Came {
  parts?: CameHead[]
  carried?: Carried
}

export const nothingMore: NativeMore = [undefined, 0, 0, 0, 0, ...once]

/** Sends a message with parts, or lets it wait for room. Its `pending` is settled when it is over. */
export function open(core: Core, peer: Peer, expects: Expects, route: Target, body: Body, parts: OutParts, timeout: number, tag: number,
  more: NativeMore = nothingMore, sent?: (receipt: number | undefined) => void): void {
  const draft = typeof route === 'string' ? undefined : core.commands.draftOf(route)
  const [bytes, type] = draft ? encodedBy(draft, body) : encoded(body)
  const where = draft ? draft.place(type) : (route as string)
  const run = (): R.ok | R.again => {
    core.commands.flush() // what was sent before goes before
    const opened = core.box.openParts(peer.slot, where, type, bytes, expects, tag, timeout, parts.heads, ...more)
    if (opened === R.again) return R.again
    if (typeof opened === 'number') core.abandon(command, errorOf(opened, { peer: peer.id, detail: `to ${route}` }))
    else {
      const receipt = more[4] ? opened.pop() : undefined
      parts.start(core, peer, opened, (error) => core.sourceFailed(tag, parts, error))
      sent?.(receipt)
    }
    return R.ok
  }
  const command: Command = { op: Op.request, peer: peer.slot, route, body: bytes, bodyType: type, tag, low: timeout | 0, high: 0, receipt: undefined, run }
  if (!peer.blocked && run() === R.ok) return
  peer.blocked = true
  core.waitForRoom(peer, command)
}

/** Answers with one reply; `more`: others follow. A result; where it is not ok nothing was sent. */
export function reply(core: Core, request: Request, value: unknown, more: boolean): number {
  const { peer, low, high } = request
  const answer = value instanceof Answer ? value : undefined
  const [bytes, type] = encoded((answer ? answer.body : value) as Body)
  const parts = answer && answer.parts.length > 0 ? new OutParts(answer.parts) : undefined
  if (parts?.feeds) for (const part of request.parts) part.begin()
  core.commands.flush()
  const result = core.box.reply(peer.slot, low, high, type, bytes, more ? 1 : 0, parts?.heads, extrasOf(answer?.options))
  if (typeof result === 'number') {
    if (result === R.again || result === R.tooMany) for (const stream of parts?.streams ?? []) stream.given = false
    else parts?.unsent(errorOf(result, { peer: peer.id }))
    return result
  }
  if (request.received && parts!.feeds) {
    for (const stream of parts!.streams) {
      request.feeding++
      stream.once('close', () => (request.feeding--, request.fed()))
    }
  }
  parts!.start(core, peer, result, (error) => core.report(error))
  return R.ok
}

/** What a reply, a question or an answer tells beside its body. */
export function whence(core: Core, reply: Reply, peer: Peer | undefined, row: Int32Array, at: number, came: Came | undefined): void {
  reply.from = peer
  reply.exchange = (row[at + E.low]! >>> 0) + row[at + E.high]! * 2 ** 32
  reply.place = row[at + E.time]!
  if (!came) return
  if (came.parts && peer) reply.received = partsOf(core, peer, row, at, came.parts)
  reply.carried = came.carried
}

/** The parts of a message that came. */
export function partsOf(core: Core, peer: Peer, row: Int32Array, at: number, heads: CameHead[]): Part[] {
  const low = row[at + E.low]!
  const high = row[at + E.high]!
  return heads.map(([name, size, kind, type, number]) => new Part({ core, peer, low, high, number }, [name, size, kind, type]))
}
