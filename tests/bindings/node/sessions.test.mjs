// One session with each peer: dials that lead to it, both sides at once, replacement, and the option of several.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Identity, Node } from 'sealwire'

import { defer, eachTransport, pair, transports } from './support.mjs'

async function open(t, options = {}) {
  const node = await Node.open({ allow: 'anyone', ...options })
  t.after(() => node.close(100))
  return node
}
const echo = (request) => request.body

test('connecting to a peer that is connected gives its session', async (t) => {
  const { server, client, listener, peer, back } = await pair(t, { server: { allow: 'anyone' }, routes: { echo } })
  assert.equal(await client.connect(listener.ticket), peer)
  const other = await client.listen(transports.tcp())
  assert.equal(await server.connect(other.ticket), back)
  await peer.close()
  assert.equal(await peer.closed, undefined)
  assert.equal(peer.instead, undefined)
  const again = await client.connect(listener.ticket)
  assert.notEqual(again, peer)
  assert.equal((await again.request('echo', 'x')).text(), 'x')
})

test('connects at once get one session', async (t) => {
  const server = await open(t)
  const client = await open(t)
  const { ticket } = await server.listen(transports.tcp())
  const [first, ...others] = await Promise.all(Array.from({ length: 10 }, () => client.connect(ticket)))
  assert.ok(others.every((other) => other === first))
  assert.equal(client.stats().sessions, 1)
})

for (const [name, url] of eachTransport) {
  test(`${name}: both sides that connect at once get one session`, async (t) => {
    const one = await open(t)
    const other = await open(t)
    for (const node of [one, other]) node.route('id', () => node.id)
    const toOne = (await one.listen(url())).ticket
    const toOther = (await other.listen(url())).ticket
    for (let round = 0; round < 20; ++round) {
      const [there, back] = await Promise.all([one.connect(toOther), other.connect(toOne)])
      assert.equal((await there.request('id')).text(), other.id)
      assert.equal((await back.request('id')).text(), one.id)
      assert.notEqual(there.dialled, back.dialled)
      assert.equal(one.stats().connected + other.stats().connected, 2)
      await there.close()
      await back.closed
    }
  })
}

test('a dial that waited dials when the first has failed', async (t) => {
  const answers = [false, true]
  const server = await open(t, { allow: [], onAsk: () => answers.shift() })
  const client = await open(t)
  const { ticket } = await server.listen(transports.tcp())
  const [first, second] = await Promise.allSettled([client.connect(ticket), client.connect(ticket)])
  assert.equal(first.reason.code, 'not_allowed')
  assert.equal(second.value.connected, true)
})

test('another process with the key replaces the session, and each side is told', async (t) => {
  const identity = Identity.generate()
  const server = await open(t)
  const [one, two] = [await open(t, { identity }), await open(t, { identity })]
  const started = defer()
  server.route('slow', () => (started.resolve(), new Promise(() => {})))
  const { ticket } = await server.listen(transports.tcp())
  const came = []
  server.on('peer', (peer) => came.push(peer))
  const old = await one.connect(ticket)
  const asked = assert.rejects(old.request('slow'), { code: 'outcome_unknown' })
  await started.promise
  const newer = await two.connect(ticket)
  assert.equal((await old.closed).code, 'replaced')
  assert.equal(old.instead, undefined)
  await asked
  assert.equal((await came[0].closed).code, 'replaced')
  assert.equal(came[0].instead, came[1])
  assert.equal(came.length, 2)
  assert.equal(newer.connected && came[1].connected, true)
})

test('with several sessions each connect makes one', async (t) => {
  const several = { severalSessions: true }
  const { client, listener, peer } = await pair(t, { server: several, client: several, routes: { echo } })
  const second = await client.connect(listener.ticket)
  assert.notEqual(second, peer)
  for (const each of [peer, second]) assert.equal((await each.request('echo', 'x')).text(), 'x')
})
