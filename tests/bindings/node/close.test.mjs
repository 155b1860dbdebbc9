// How a node closes with work left; the same scenarios as in tests/bindings/python/test_close.py.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { eachTransport, pair } from './support.mjs'

for (const [name, url] of eachTransport) {
  test(`${name}: close returns at its deadline and reports what was not delivered, and to whom`, async (t) => {
    const { server, client, peer } = await pair(t, { url: url(), routes: { news: () => undefined, stuck: () => new Promise(() => {}) } })
    server.pause('news') // nothing is taken: a window full is sent, the rest waits here
    const stuck = peer.request('stuck', undefined, { timeout: Infinity })
    const sent = Array.from({ length: 60 }, () => peer.send('news', new Uint8Array(60_000), { receipt: true }))
    const ends = Promise.allSettled([stuck, ...sent])
    const report = await client.close(100)
    assert.deepEqual([report.deadlinePassed, report.exchanges, report.callbackBlocked, report.blockingRoute], [true, 1, false, ''])
    assert.ok(report.notSent > 0 && report.notSent + report.outcomeUnknown === 60)
    assert.deepEqual(report.peers, [{ id: server.id, notSent: report.notSent, outcomeUnknown: report.outcomeUnknown, exchanges: 1 }])
    assert.ok((await ends).every((one) => one.status === 'rejected'), 'and each is told to who sent it')
  })

  test(`${name}: a handler that never ends holds up no close`, async (t) => {
    let begin
    const begun = new Promise((resolve) => (begin = resolve))
    const { server, peer } = await pair(t, { url: url(), routes: { stuck: () => (begin(), new Promise(() => {})) } })
    const stuck = assert.rejects(peer.request('stuck', undefined, { timeout: Infinity }))
    await begun
    const report = await server.close(100)
    assert.deepEqual([report.deadlinePassed, report.exchanges, report.blockingRoute, report.peers.length], [true, 1, 'stuck', 1])
    assert.equal(typeof report.eventsHeld, 'number')
    await stuck
  })
}
