// Deadlines, cancelling and closing: both ends learn of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Node, TimeoutError } from 'sealwire'
import { defer, eachTransport, pair } from './support.mjs'

// A route that waits until its signal is aborted and tells the reason.
function waiting() {
  const started = defer()
  const seen = defer()
  const handler = (request) =>
    new Promise((resolve, reject) => {
      started.resolve(request)
      request.signal.addEventListener('abort', () => {
        seen.resolve(request.signal.reason)
        reject(request.signal.reason)
      })
    })
  return { handler, started: started.promise, seen: seen.promise }
}

for (const [name, url] of eachTransport) {
  test(`${name}: deadline`, async (t) => {
    const wait = waiting()
    const { peer } = await pair(t, { url: url(), routes: { wait: wait.handler } })
    await assert.rejects(peer.request('wait', undefined, { timeout: 50 }), (error) => {
      assert.ok(error instanceof TimeoutError)
      assert.equal(error.code, 'timeout')
      return true
    })
    assert.equal((await wait.started).timeout, 50)
    assert.ok((await wait.seen) instanceof Error)
  })

  test(`${name}: cancel is seen by the peer's handler`, async (t) => {
    const wait = waiting()
    const { peer } = await pair(t, { url: url(), routes: { wait: wait.handler } })
    const controller = new AbortController()
    const reply = peer.request('wait', undefined, { signal: controller.signal })
    await wait.started
    controller.abort(new Error('changed my mind'))
    await assert.rejects(reply, { message: 'changed my mind' })
    assert.equal((await wait.seen).code, 'cancelled')
  })

  test(`${name}: a lost peer is seen by the handler`, async (t) => {
    const wait = waiting()
    const { client, peer } = await pair(t, { url: url(), routes: { wait: wait.handler } })
    const reply = assert.rejects(peer.request('wait'))
    await wait.started
    await client.close(1)
    await reply
    assert.ok((await wait.seen) instanceof Error)
  })
}

test('a signal that is aborted already sends nothing', async (t) => {
  let calls = 0
  const { peer } = await pair(t, { routes: { count: () => { calls++ } } })
  await assert.rejects(peer.request('count', undefined, { signal: AbortSignal.abort() }), { name: 'AbortError' })
  await assert.rejects(peer.send('count', undefined, { signal: AbortSignal.abort() }), { name: 'AbortError' })
  await peer.request('count')
  assert.equal(calls, 1)
})

test('a handler that ends after the cancel answers nobody', async (t) => {
  const gate = defer()
  const started = defer()
  const { peer } = await pair(t, {
    routes: { wait: async () => { started.resolve(); await gate.promise; return 'late' }, echo: (request) => request.body },
  })
  const controller = new AbortController()
  const reply = peer.request('wait', undefined, { signal: controller.signal })
  await started.promise
  controller.abort()
  await assert.rejects(reply, { name: 'AbortError' })
  gate.resolve()
  assert.equal((await peer.request('echo', 'still here')).text(), 'still here')
})

test('aborting connect', async (t) => {
  const node = await Node.open({ network: 'tests' })
  const silent = await Node.open({ network: 'other', allow: 'anyone' })
  t.after(() => Promise.all([node.close(100), silent.close(100)]))
  const { ticket } = await silent.listen('tcp://127.0.0.1:0')
  const controller = new AbortController()
  const connecting = node.connect(ticket, { signal: controller.signal })
  controller.abort()
  await assert.rejects(connecting, { name: 'AbortError' })
  await assert.rejects(node.connect(ticket, { signal: controller.signal }), { name: 'AbortError' })
})

test('closing a peer: both sides hear of it, and pending requests fail', async (t) => {
  const { peer, back } = await pair(t, { routes: { wait: () => new Promise(() => {}) } })
  const reply = peer.request('wait')
  const ended = assert.rejects(reply, (error) => typeof error.code === 'string')
  const closed = new Promise((resolve) => back.on('close', resolve))
  await peer.close({ code: 70, text: 'enough', deadline: 50 })
  await ended
  const reason = await closed
  assert.equal(reason.code, 'peer_closed')
  assert.equal(reason.status, 70)
  assert.equal(reason.text, 'enough')
  assert.equal(await peer.closed, undefined)
  await assert.rejects(peer.request('wait'), { name: 'ClosedError' })
  await assert.rejects(peer.send('wait'), { name: 'ClosedError' })
  assert.throws(() => peer.trySend('wait'), { name: 'ClosedError' })
})

test('close with pending', async (t) => {
  const { server, client, peer } = await pair(t, { routes: { wait: () => new Promise(() => {}) } })
  const pending = [peer.request('wait'), peer.request('wait'), peer.send('wait', 'x', { receipt: true }), peer.ping()]
  const settled = Promise.allSettled(pending)
  const report = await client.close(50)
  assert.equal(typeof report.exchanges, 'number')
  const results = await settled
  assert.equal(results.length, 4)
  assert.deepEqual(results.slice(0, 2).map(({ status }) => status), ['rejected', 'rejected'])
  assert.deepEqual(await client.close(), report)
  await assert.rejects(client.connect('tcp://127.0.0.1:1#' + server.id), { name: 'ClosedError' })
})
