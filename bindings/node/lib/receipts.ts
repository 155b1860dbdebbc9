// Receipts: what became of messages, told to who waits for it.
import { errorOf } from './errors.js'
import type { Settle } from './commands.js'
import type { Peer } from './peer.js'
import { E, R } from './table.js'

export function receipts(peer: Peer, row: Int32Array, at: number): void {
  const first = (row[at + E.low]! >>> 0) + row[at + E.high]! * 2 ** 32
  const last = (row[at + E.offset]! >>> 0) + row[at + E.length]! * 2 ** 32
  const result = row[at + E.result]!
  const settle = (number: number, waiting: Settle<void>) => {
    peer.receipts.delete(number)
    if (result === R.ok) waiting.resolve()
    else waiting.reject(errorOf(result, { peer: peer.id, endpoint: peer.address }))
  }
  if (last - first > peer.receipts.size) {
    for (const [number, waiting] of peer.receipts) if (number >= first && number <= last) settle(number, waiting)
    return
  }
  for (let number = first; number <= last; number++) {
    const waiting = peer.receipts.get(number)
    if (waiting) settle(number, waiting)
  }
}
