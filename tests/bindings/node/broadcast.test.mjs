// Peers by their ids, and one message to all of them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'

import { Identity, Node } from 'sealwire'

const SLOW = { limits: { windowBytes: 64 * 1024 } } // less than half of the hub's queue: one that is paused stays full
const FILLING = Buffer.alloc(10_000, 'f')

// A hub and a node for each of the options that has dialled it, with what comes to that: { hub, members: { node, id, peer, take(count) } }.
async function hubWith(t, options, more = {}) {
  const hub = await Node.open({ allow: 'anyone', network: 'tests', ...more, limits: { sendQueueBytes: 256 * 1024 } })
  const nodes = [hub]
  t.after(() => Promise.all(nodes.map((node) => node.close(100))))
  const { ticket } = await hub.listen('tcp://127.0.0.1:0')
  let arrived = 0
  const all = new Promise((resolve) => hub.on('peer', () => ++arrived === options.length && resolve()))
  const members = []
  for (const each of options) {
    const node = await Node.open({ network: 'tests', ...each })
    nodes.push(node)
    const came = []
    let wake = () => {}
    node.route('news', (request) => (came.push(request), wake()))
    const take = async (count = 1) => {
      while (came.length < count) await new Promise((resolve) => (wake = resolve))
      return came.splice(0, count).map((request) => request.text())
    }
    members.push({ node, id: node.id, peer: await node.connect(ticket), take })
  }
  await all
  return { hub, members, ticket }
}

// How many messages it took until its queue was full, as which it then counts until `writable`.
function fill(peer) {
  let count = 0
  while (count < 1000 && peer.trySend('news', FILLING)) {
    count++
    peer.runs() // hands over what was gathered, so that a full queue is known
  }
  assert.ok(count < 1000, 'the queue of a peer that is paused did not get full by 1000 messages')
  return count
}

test('a peer is found by its id, whichever side has dialled', async (t) => {
  const { hub, members: [member] } = await hubWith(t, [{}])
  const there = hub.peer(member.id)
  assert.equal(there.id, member.id)
  assert.equal(member.node.peer(hub.id), member.peer)
  await hub.peer(member.id).send('news', 'by id')
  assert.deepEqual(await member.take(), ['by id'])
  assert.equal(hub.peer(hub.id), undefined)
  assert.equal(hub.peer(Identity.generate().id), undefined)
  assert.throws(() => hub.peer('nobody'), { code: 'key' })
  assert.throws(() => hub.peer(3), { code: 'argument' })
  const closed = there.closed
  await member.peer.close()
  assert.equal(member.node.peer(hub.id), undefined)
  await closed
  assert.equal(hub.peer(member.id), undefined)
  await hub.close()
  assert.equal(hub.peer(member.id), undefined)
})

test('one that closes is not found, and of several sessions the last is', async (t) => {
  const several = { severalSessions: true }
  const { hub, members: [member], ticket } = await hubWith(t, [several], several)
  let answer
  const asked = new Promise((resolve) => hub.route('later', () => (resolve(), new Promise((settle) => (answer = settle)))))
  const second = await member.node.connect(ticket)
  assert.equal(member.node.peer(hub.id), second)
  const running = second.request('later')
  await asked
  const closing = second.close({ deadline: 60_000 })
  assert.equal(member.node.peer(hub.id), member.peer)
  answer('done')
  assert.equal((await running).text(), 'done')
  await closing
  assert.equal(member.node.peer(hub.id), member.peer)
})

test('what is sent to a session without a connection waits', async (t) => {
  const options = { allow: 'anyone', limits: { redial: 20 } }
  const server = await Node.open(options)
  const client = await Node.open(options)
  t.after(() => Promise.all([client.close(100), server.close(100)]))
  const came = []
  const all = new Promise((resolve) => server.route('news', (request) => came.push(request.text()) === 2 && resolve()))
  const [address, id] = (await server.listen('tcp://127.0.0.1:0')).ticket.split('#')
  const sockets = []
  const proxy = net.createServer((from) => {
    const to = net.connect(Number(address.slice(address.lastIndexOf(':') + 1)), '127.0.0.1')
    for (const socket of [from, to]) sockets.push(socket.on('error', () => {}))
    from.pipe(to).pipe(from)
  })
  t.after(() => (proxy.close(), sockets.forEach((socket) => socket.destroy())))
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  const peer = await client.connect(`tcp://127.0.0.1:${proxy.address().port}#${id}`)
  const suspended = new Promise((resolve) => {
    peer.once('suspended', () => {
      const found = client.peer(server.id)
      resolve([found, found.send('news', 'meanwhile'), client.broadcast('news', 'to all')])
    })
  })
  sockets.forEach((socket) => socket.destroy())
  const [found, sent, broadcast] = await suspended
  assert.equal(found, peer)
  await sent
  assert.equal(await broadcast, 1)
  await all
  assert.deepEqual(came, ['meanwhile', 'to all'])
})

test('a message goes to all, or to those of a filter', async (t) => {
  const { hub, members } = await hubWith(t, [{}, {}, {}])
  const [first, second] = members
  assert.equal(await hub.broadcast('news', { n: 1 }), 3)
  assert.equal(await hub.broadcast(hub.draft('news', { type: 'json' }), [2]), 3)
  assert.equal(await hub.broadcast('news'), 3)
  for (const member of members) assert.deepEqual(await member.take(3), ['{"n":1}', '[2]', ''])
  assert.equal(await hub.broadcast('news', Buffer.alloc(100_000, 'l')), 3)
  for (const member of members) assert.ok((await member.take())[0] === 'l'.repeat(100_000))
  const asked = []
  assert.equal(await hub.broadcast('news', 'some', { filter: (peer) => (asked.push(peer.id), peer.id !== second.id) }), 2)
  assert.deepEqual(asked.sort(), members.map(({ id }) => id).sort())
  hub.peer(first.id).send('news', 'before')
  const all = hub.broadcast('news', 'behind it')
  assert.deepEqual(await first.take(3), ['some', 'before', 'behind it'])
  assert.deepEqual(await second.take(), ['behind it'])
  assert.equal(await all, 3)
  assert.equal(await hub.broadcast('news', 'x', { filter: () => false }), 0)
  await assert.rejects(hub.broadcast('news', 'x', { filter: () => { throw new RangeError('no') } }), RangeError)
  await assert.rejects(hub.broadcast('news', 'x', { filter: 1 }), { code: 'argument' })
  await assert.rejects(hub.broadcast('news', 'x', { filter: async () => false }), { code: 'argument', detail: /gave a promise/ })
  await assert.rejects(hub.broadcast('news', 'x', { unknown: 1 }), { code: 'argument' })
  await assert.rejects(hub.broadcast('', 'x'), { code: 'argument' })
  await assert.rejects(hub.broadcast(3, 'x'), { code: 'argument' })
  await assert.rejects(hub.broadcast('news', () => {}), { code: 'argument' })
  await assert.rejects(hub.broadcast(first.node.draft('news'), 'x'), { code: 'argument' })
  await assert.rejects(hub.broadcast('news', 'x', { signal: AbortSignal.abort(new RangeError('no')) }), RangeError)
  await hub.broadcast('news', 'last')
  for (const member of members) assert.equal((await member.take(member === members[2] ? 3 : 1)).at(-1), 'last')
  await hub.close()
  await assert.rejects(hub.broadcast('news', 'x'), { code: 'handle' })
})

test('it waits for who is full, and holds up nobody', async (t) => {
  const { hub, members: [first, second, slow] } = await hubWith(t, [{}, {}, SLOW])
  slow.peer.pause()
  const filled = fill(hub.peer(slow.id))
  let settled = 0
  const one = hub.broadcast('news', 'one').finally(() => settled++)
  const two = hub.broadcast('news', { two: 2 }).finally(() => settled++)
  for (const member of [first, second]) assert.deepEqual(await member.take(2), ['one', '{"two":2}'])
  assert.equal(settled, 0)
  slow.peer.resume()
  const all = await slow.take(filled + 2)
  assert.deepEqual(all.slice(-2), ['one', '{"two":2}'])
  assert.ok(all.slice(0, -2).every((body) => body === FILLING.toString()))
  assert.deepEqual(await Promise.all([one, two]), [3, 3])
})

test('what is sent behind it goes behind it, also where it waits', async (t) => {
  const { hub, members: [first, slow] } = await hubWith(t, [{}, SLOW])
  slow.peer.pause()
  const there = hub.peer(slow.id)
  const filled = fill(there)
  const before = there.send('news', 'before')
  const all = hub.broadcast('news', 'all')
  const behind = Array.from({ length: 100 }, (_, i) => there.send('news', `${i}`))
  const last = hub.broadcast('news', 'last')
  slow.peer.resume()
  const came = await slow.take(filled + 103)
  assert.deepEqual(came.slice(filled), ['before', 'all', ...behind.map((_, i) => `${i}`), 'last'])
  assert.deepEqual(await first.take(2), ['all', 'last'])
  assert.deepEqual(await Promise.all([all, last]), [2, 2])
  await Promise.all([before, ...behind])
})

test('who closes, or is waited for no more, does not fail the rest', async (t) => {
  const { hub, members: [first, gone, slow] } = await hubWith(t, [{}, SLOW, SLOW])
  for (const member of [gone, slow]) {
    member.peer.pause()
    fill(hub.peer(member.id))
  }
  const kept = hub.broadcast('news', 'kept')
  const stop = new AbortController()
  const dropped = hub.broadcast('news', 'dropped', { signal: stop.signal })
  assert.deepEqual(await first.take(2), ['kept', 'dropped'])
  stop.abort(new RangeError('enough'))
  await assert.rejects(dropped, RangeError)
  await gone.node.close(1)
  slow.peer.resume()
  assert.equal(await kept, 2)
  await hub.broadcast('news', 'last')
  const came = []
  while (came.at(-1) !== 'last') came.push(...(await slow.take()))
  assert.deepEqual(came.slice(-2), ['kept', 'last'])
})

test('a filter may end the wait that it is asked for', async (t) => {
  const { hub, members: [slow] } = await hubWith(t, [SLOW])
  slow.peer.pause()
  fill(hub.peer(slow.id))
  const controller = new AbortController()
  const filter = () => {
    controller.abort(new Error('enough'))
    return true
  }
  await assert.rejects(hub.broadcast('news', 'never', { filter, signal: controller.signal }), /enough/)
})

test('who closes in good order while it waits does not take it, and fails nothing', async (t) => {
  for (const body of ['small', Buffer.alloc(100_000, 'l')]) {
    const { hub, members: [first, slow] } = await hubWith(t, [{}, SLOW])
    const errors = []
    hub.on('error', (error) => errors.push(error))
    slow.peer.pause()
    const there = hub.peer(slow.id)
    fill(there)
    const waits = hub.broadcast('news', body)
    await first.take()
    const closing = once(there, 'closing')
    const closed = slow.peer.close({ deadline: 60_000 })
    await closing
    assert.equal(await waits, 1)
    await closed
    assert.deepEqual(errors, [])
  }
})

test('who takes no such message is told when the others have it', async (t) => {
  const { hub, members: [first, small, last] } = await hubWith(t, [{}, { limits: { maxMessageBytes: 20_000 } }, {}])
  await assert.rejects(hub.broadcast('news', Buffer.alloc(50_000, 'b')), (error) => error.code === 'too_big' && error.peer === small.id)
  for (const member of [first, last]) assert.ok((await member.take())[0] === 'b'.repeat(50_000))
  assert.equal(await hub.broadcast('news', 'small'), 3)
  assert.deepEqual(await small.take(), ['small'])
})

test('one that waits ends with its node', async (t) => {
  const { hub, members: [slow] } = await hubWith(t, [SLOW])
  slow.peer.pause()
  fill(hub.peer(slow.id))
  const waits = hub.broadcast('news', 'x')
  await Promise.all([hub.close(1), assert.rejects(waits, { name: 'ClosedError' })])
})
