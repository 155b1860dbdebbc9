// Sessions that outlive their connections: broken and resumed, moved, given up, with everything that runs in them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'

import { Node } from 'sealwire'

import { defer } from './support.mjs'

// Passes connections on, until they are cut or it is closed.
async function makeProxy(t, ticket) {
  const [address, id] = ticket.split('#')
  const port = Number(address.slice(address.lastIndexOf(':') + 1))
  const sockets = new Set()
  const server = net.createServer((from) => {
    const to = net.connect(port, '127.0.0.1')
    for (const socket of [from, to]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    from.pipe(to).pipe(from)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => sockets.forEach((socket) => socket.destroy())
  const close = () => (server.close(), cut())
  t.after(close)
  return { ticket: `tcp://127.0.0.1:${server.address().port}#${id}`, cut, close, sockets }
}

async function brokenPair(t, limits = {}) {
  const options = { allow: 'anyone', limits: { redial: 20, ...limits } }
  const server = await Node.open(options)
  const client = await Node.open(options)
  t.after(() => Promise.all([client.close(100), server.close(100)]))
  server.route('echo', (request) => request.body)
  const proxy = await makeProxy(t, (await server.listen('tcp://127.0.0.1:0')).ticket)
  return { proxy, server, client, peer: await client.connect(proxy.ticket) }
}

const next = (peer, type) => new Promise((resolve) => peer.once(type, resolve))

test('a move that leads nowhere is told, and changes nothing', async (t) => {
  const { proxy, server, client, peer } = await brokenPair(t)
  await peer.request('echo', 'is it there')
  const { address } = peer
  const back = server.peer(client.id)
  const failed = next(peer, 'resumed')
  peer.move('unix:@sealwire-nobody-listens')
  const link = await failed
  assert.deepEqual([link.reason.code, link.address, peer.address], ['refused', address, address])
  const connecting = next(peer, 'connecting')
  const resumed = [next(peer, 'resumed'), next(back, 'resumed')]
  proxy.cut()
  assert.equal((await connecting).address, address)
  for (const one of await Promise.all(resumed)) assert.equal(one.reason, undefined)
  const before = back.address
  const moved = [next(peer, 'resumed'), next(back, 'resumed')]
  const listener = await server.listen('tcp://127.0.0.1:0')
  peer.move(listener.address)
  const [here, there] = await Promise.all(moved)
  assert.equal(here.address, listener.address)
  assert.ok(there.address !== before && back.address === there.address)
})

test('a session goes on over another connection', async (t) => {
  const { proxy, server, client, peer } = await brokenPair(t)
  const asked = defer()
  const answer = defer()
  server.route('later', () => (asked.resolve(), answer.promise))
  const running = peer.request('later')
  await asked.promise
  const links = []
  client.on('link', (link) => links.push(link))
  const suspended = next(peer, 'suspended')
  const connecting = next(peer, 'connecting')
  const resumed = next(peer, 'resumed')
  proxy.cut()
  const lost = await suspended
  assert.match(lost.reason.code, /^(peer_lost|truncated)$/)
  assert.equal(peer.suspended, true)
  assert.equal(peer.connected, true)
  const dialled = await connecting
  assert.equal(dialled.attempt, 1)
  assert.equal(dialled.reason.code, lost.reason.code)
  const found = await resumed
  assert.deepEqual(links.map(({ state }) => state).filter((state) => state !== 'connecting'), ['suspended', 'resumed'])
  assert.ok(links.every((link) => link.peer === peer))
  assert.ok(found.attempt >= 1)
  assert.equal(found.reason, undefined)
  assert.equal(peer.suspended, false)
  assert.equal(peer.address, found.address)
  answer.resolve('after all')
  assert.equal((await running).text(), 'after all')
  assert.equal((await peer.request('echo', 'more')).text(), 'more')
  assert.equal(client.stats().resumed, 1)
})

test('a node tells of each attempt at connecting', async (t) => {
  const server = await Node.open({ allow: 'anyone' })
  const client = await Node.open()
  t.after(() => Promise.all([client.close(100), server.close(100)]))
  const seen = []
  client.on('link', (link) => seen.push(link))
  const { ticket, address } = await server.listen('tcp://127.0.0.1:0')
  const peer = await client.connect(ticket)
  assert.deepEqual(seen, [{ peer, state: 'connecting', reason: undefined, address, attempt: 1, suspended: 0 }])
  assert.equal(peer.suspended, false)
})

test('of one address so many sessions are kept', async (t) => {
  const peers = []
  const server = await Node.open({ allow: 'anyone', limits: { maxSuspendedPerAddress: 1 } })
  const clients = [await Node.open(), await Node.open()]
  t.after(() => Promise.all([...clients, server].map((node) => node.close(100))))
  const came = new Promise((resolve) => server.on('peer', (peer) => peers.push(peer) === 2 && resolve()))
  const proxy = await makeProxy(t, (await server.listen('tcp://127.0.0.1:0')).ticket)
  for (const client of clients) await client.connect(proxy.ticket)
  await came
  const ends = peers.map((peer) => new Promise((resolve) => peer.once('close', (reason) => resolve([peer, reason]))))
  proxy.close()
  const [gone, reason] = await Promise.race(ends)
  assert.equal(reason.code, 'lease')
  assert.equal(peers.find((peer) => peer !== gone).suspended, true)
  await assert.rejects(Node.open({ limits: { maxSuspendedPerAddress: -1 } }), { code: 'argument' })
})

test('what is sent meanwhile arrives in order', async (t) => {
  const { proxy, server, peer } = await brokenPair(t)
  const came = []
  server.route('number', (request) => void came.push(Number(request.text())))
  for (let n = 0; n < 100; ++n) {
    await peer.send('number', String(n))
    if (n !== 50) continue
    const suspended = next(peer, 'suspended')
    proxy.cut()
    await suspended
  }
  const ping = peer.ping()
  await peer.send('number', '100', { receipt: true })
  assert.deepEqual(came, Array.from({ length: 101 }, (_, n) => n))
  assert.ok((await ping).roundTrip > 0)
})

test('without a lease it ends with its connection', async (t) => {
  const { proxy, peer } = await brokenPair(t, { lease: 0 })
  proxy.cut()
  assert.match((await peer.closed).code, /^(peer_lost|truncated)$/)
})

test('after the lease it ends, and what became of a request is unknown', async (t) => {
  const { proxy, server, peer } = await brokenPair(t, { lease: 200 })
  const asked = defer()
  server.route('never', () => (asked.resolve(), new Promise(() => {})))
  const running = peer.request('never')
  await asked.promise
  proxy.close()
  await assert.rejects(running, { code: 'outcome_unknown' })
  assert.equal((await peer.closed).code, 'lease')
})

test('it moves to another address', async (t) => {
  const { server, peer } = await brokenPair(t)
  const listener = await server.listen('tcp://127.0.0.1:0')
  const resumed = next(peer, 'resumed')
  peer.on('suspended', () => assert.fail('suspended'))
  peer.move(listener.address)
  assert.equal((await resumed).address, listener.address)
  assert.equal(peer.address, listener.address)
  assert.equal((await peer.request('echo', 'x')).text(), 'x')
  assert.throws(() => peer.move('nonsense'), { code: 'address' })
  assert.throws(() => peer.move(7), { code: 'argument' })
})

test('a silent connection is given up', async (t) => {
  const { proxy, peer } = await brokenPair(t, { heartbeat: 100, heartbeats: 2 })
  const suspended = next(peer, 'suspended')
  for (const socket of proxy.sockets) socket.unpipe(), socket.pause()
  assert.equal((await suspended).reason.code, 'silent')
  assert.equal((await peer.request('echo', 'x')).text(), 'x')
})
