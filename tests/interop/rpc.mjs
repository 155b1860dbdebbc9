// Procedure calls to a program of another language: rpc.mjs [TICKET]. rpc.py and rpc.c are the same.
import { isDeepStrictEqual } from 'node:util'

import { NO_FUNCTION, Node, Status } from 'sealwire'

const notes = []
const node = await Node.open({ network: 'rpc', allow: 'anyone' })
node.expose('math', { add: (a, b) => a + b })
node.expose('echo', (value) => value)
node.expose('later', async (value) => value)
node.expose('count', function* (to) { for (let n = 0; n < to; n++) yield n })
node.expose('refuse', () => { throw new Status(77, 'no', { left: new Uint8Array([0, 1]) }) })
node.expose('note', (note) => { notes.push(note) })
node.expose('notes', () => notes)

const ticket = process.argv[2]
if (ticket) {
  const peer = await node.connect(ticket)
  let compared = 0
  const compare = (name, got, expected) => {
    compared++
    if (!isDeepStrictEqual(got, expected)) console.log(`${name}: ${String(got)}`)
  }
  const errorOf = (promise) => promise.then(() => 'no error', (error) => error)
  compare('add', await peer.call('math.add', 1, 2), 3)
  compare('echo', [...(await peer.call('echo', new Uint8Array([0, 255])))], [0, 255])
  compare('later', await peer.call('later', 'text'), 'text')
  const counted = []
  for await (const n of peer.callMany('count', 3)) counted.push(n)
  compare('count', counted, [0, 1, 2])
  const { status, text, details } = await errorOf(peer.call('refuse'))
  compare('refuse', [status, text, ...details.left], [77, 'no', 0, 1])
  compare('missing', (await errorOf(peer.call('math.sub', 1, 2))).status, NO_FUNCTION)
  await peer.notify('note', 'noted')
  compare('notes', await peer.call('notes'), ['noted'])
  console.log('compared', compared)
  await node.close()
} else {
  console.log((await node.listen('tcp://127.0.0.1:0')).ticket)
}
