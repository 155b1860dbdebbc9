// Who may come in: lists of addresses, and limits of connections that nodes share.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ConnectionLimits, Node } from 'sealwire'

async function open(t, options) {
  const node = await Node.open({ network: 'tests', ...options })
  t.after(() => node.close(100))
  return node
}

test('as many connections as are taken come in', async (t) => {
  const connectionLimits = new ConnectionLimits({ connections: 1 })
  const server = await open(t, { allow: 'anyone', connectionLimits })
  const [one, other] = [await open(t), await open(t)]
  const { ticket } = await server.listen('tcp://127.0.0.1:0')
  const peer = await one.connect(ticket)
  await assert.rejects(other.connect(ticket), (error) => error.code === 'limit' && /as many connections as are taken/.test(error.text))
  assert.deepEqual(connectionLimits.counts, { connections: 1, refusedByAddress: 0, refusedByLimit: 1 })
  const { accepted, refusedByLimit } = server.stats()
  assert.deepEqual([accepted, refusedByLimit], [2, 1])
  connectionLimits.set({ connections: 2 })
  await other.connect(ticket)
  await peer.close()
  while (connectionLimits.counts.connections > 1) await new Promise(setImmediate)
})

test('limits count over nodes and listeners, by key and address', async (t) => {
  const shared = new ConnectionLimits({ perKey: 1 })
  const own = new ConnectionLimits({ perAddress: 1 })
  const servers = [await open(t, { allow: 'anyone', connectionLimits: shared }), await open(t, { allow: 'anyone', connectionLimits: shared })]
  const [client, another] = [await open(t, { limits: { handshakeTimeout: 1000 } }), await open(t)]
  const first = await servers[0].listen('tcp://127.0.0.1:0')
  const second = await servers[1].listen('tcp://127.0.0.1:0', { connectionLimits: own })
  await client.connect(first.ticket)
  await assert.rejects(client.connect(second.ticket), { code: 'limit' })
  await another.connect(second.ticket)
  await assert.rejects(client.connect(second.ticket), { code: 'no_answer' })
  assert.equal(own.counts.refusedByAddress, 1)
})

test('addresses are allowed and denied while it runs', async (t) => {
  const server = await open(t, { allow: 'anyone' })
  const client = await open(t)
  const listener = await server.listen('tcp://127.0.0.1:0', { denyAddresses: ['127.0.0.0/8'] })
  await assert.rejects(client.connect(listener.ticket), { code: 'no_answer' })
  assert.equal(server.stats().refusedByAddress, 1)
  listener.setAddresses({ allow: new Set(['::ffff:127.0.0.1', '192.0.2.0/24']) })
  await client.connect(listener.ticket)
  const code = 'argument'
  for (const wrong of [['10.0.0.1/8'], ['x'], '127.0.0.1', [5], 5]) {
    assert.throws(() => listener.setAddresses({ deny: wrong }), { code })
    await assert.rejects(server.listen('tcp://127.0.0.1:0', { allowAddresses: wrong }), { code })
  }
  assert.throws(() => listener.setAddresses({ refuse: [] }), { code })
  await assert.rejects(server.listen('tcp://127.0.0.1:0', { connectionLimits: {} }), { code })
  assert.throws(() => new ConnectionLimits({ connections: -1 }), { code })
  assert.throws(() => new ConnectionLimits({ most: 1 }), { code })
})
