// Counters; the same scenarios as in tests/bindings/python/test_stats.py.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { eachTransport, pair } from './support.mjs'

for (const [name, url] of eachTransport) {
  test(`${name}: both ends count what goes between them`, async (t) => {
    const { peer, back } = await pair(t, { url: url(), routes: { echo: (request) => request.body } })
    assert.equal(peer.stats().messagesSent, 0)
    assert.equal(peer.stats().roundTrip, undefined)
    await peer.request('echo', Buffer.from('hello'))
    await peer.send('echo', Buffer.from('abc'), { receipt: true })
    const { roundTrip } = await peer.ping()
    const mine = peer.stats()
    const theirs = back.stats()
    assert.deepEqual([mine.messagesSent, mine.requestsSent, mine.bodyBytesSent], [2, 1, 8])
    assert.deepEqual([mine.messagesReceived, mine.repliesReceived, mine.bodyBytesReceived], [1, 1, 5])
    assert.deepEqual([theirs.messagesReceived, theirs.requestsReceived, theirs.repliesSent], [2, 1, 1])
    assert.equal(mine.roundTrip, roundTrip)
    assert.ok(mine.connected === 1 && mine.requestsRunning === 0)
    assert.ok(mine.wireBytesSent > 100 && mine.recordsReceived > 0)
  })

  test(`${name}: a node sums its peers and knows its routes`, async (t) => {
    const { server, client, peer } = await pair(t, { url: url(), routes: { echo: (request) => request.body } })
    server.route('__proto__', () => {})
    await peer.request('echo', Buffer.from('hello'))
    await assert.rejects(peer.request('nobody'), { code: 'no_route' })
    const stats = server.stats()
    const sent = { messagesSent: 0, requestsSent: 0, bodyBytesSent: 0 }
    assert.deepEqual(stats.routes.echo, { messagesReceived: 1, requestsReceived: 1, bodyBytesReceived: 5, ...sent })
    const { echo } = client.stats().routes
    assert.deepEqual([echo.messagesSent, echo.requestsSent, echo.bodyBytesSent], [1, 1, 5])
    assert.equal(Object.getOwnPropertyDescriptor(stats.routes, '__proto__').value.messagesReceived, 0)
    assert.ok(stats.refusedNoRoute === 1 && stats.connected === 1)
    await peer.close()
    assert.throws(() => peer.stats(), { code: 'handle' })
    const after = client.stats()
    assert.deepEqual([after.requestsSent, after.sessions, after.connected], [2, 1, 0])
  })
}
