// Several loop threads: what each peer sends comes in its order, and the node is one to its program.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Node } from 'sealwire'

import { transports } from './support.mjs'

async function open(t, options) {
  const node = await Node.open(options)
  t.after(() => node.close(100))
  return node
}

test('peers of several loop threads are served, each in its order', async (t) => {
  const server = await open(t, { allow: 'anyone', loopThreads: 4 })
  const seen = new Map()
  server.route('count', (request) => {
    const { id } = request.peer
    seen.set(id, [...(seen.get(id) ?? []), request.json()])
    return request.body
  })
  const { ticket } = await server.listen(transports.tcp())
  const clients = await Promise.all(Array.from({ length: 12 }, () => open(t, { loopThreads: 2 })))
  const peers = await Promise.all(clients.map((client) => client.connect(ticket)))
  const count = 100
  for (let number = 0; number < count; ++number) {
    for (const peer of peers) await peer.send('count', number)
  }
  const last = await Promise.all(peers.map((peer) => peer.request('count', count)))
  assert.equal(last.every((reply) => reply.json() === count), true)
  const all = Array.from({ length: count + 1 }, (_, number) => number)
  assert.equal(seen.size, peers.length)
  for (const numbers of seen.values()) assert.deepEqual(numbers, all)
})

test('there are 64 loop threads at most', async () => {
  await assert.rejects(Node.open({ loopThreads: 65 }), (error) => error.code === 'argument' && /loop_threads/.test(error.message + error.detail))
})
