// Requests that are made again run once; tests/bindings/python/test_retry.py has the same facts.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Answer, Node, Status } from 'sealwire'

import { defer, pair } from './support.mjs'

const key = Buffer.from('a key of sixteen')
const turn = () => new Promise(setImmediate)

test('a request of the same key is answered as the first was and not run again', async (t) => {
  const runs = []
  const count = (request) => {
    runs.push(request.text())
    if (request.text() === 'fail') throw new Status(77, 'no', { left: 0 })
    return new Answer({ run: runs.length }, { metadata: { a: 'b' } })
  }
  const { peer } = await pair(t, { routes: { count } })
  for (let i = 0; i < 2; i++) {
    const reply = await peer.request('count', 'x', { idempotencyKey: key })
    assert.deepEqual([reply.json(), reply.type, { ...reply.metadata }], [{ run: 1 }, 'json', { a: 'b' }])
  }
  for (let i = 0; i < 2; i++) {
    await assert.rejects(peer.request('count', 'fail', { idempotencyKey: Buffer.from('another  key, 16') }), (error) => {
      assert.deepEqual([error.status, error.text, error.details], [77, 'no', { left: 0 }])
      return true
    })
  }
  assert.deepEqual(runs, ['x', 'fail'])
  assert.deepEqual((await peer.request('count', 'x')).json(), { run: 3 })
})

test('it is answered over a new connection of the same peer and run for another', async (t) => {
  let runs = 0
  const { client, listener, peer } = await pair(t, { server: { allow: 'anyone' }, routes: { count: () => String(++runs) } })
  assert.equal((await peer.request('count', '', { idempotencyKey: key })).text(), '1')
  await peer.close()
  const again = await client.connect(listener.ticket)
  assert.equal((await again.request('count', '', { idempotencyKey: key })).text(), '1')
  const other = await Node.open({ network: 'tests' })
  t.after(() => other.close(100))
  assert.equal((await (await other.connect(listener.ticket)).request('count', '', { idempotencyKey: key })).text(), '2')
})

test('one that comes while the first runs waits for its answer and one that is cancelled does not', async (t) => {
  const go = defer()
  let runs = 0
  const slow = async () => {
    runs++
    await go.promise
    return 'done'
  }
  const { peer, back } = await pair(t, { routes: { slow } })
  const control = new AbortController()
  const first = peer.request('slow', '', { idempotencyKey: key })
  const second = assert.rejects(peer.request('slow', '', { idempotencyKey: key, signal: control.signal }), { name: 'AbortError' })
  const third = peer.request('slow', '', { idempotencyKey: key })
  while (runs === 0 || back.runs().serving < 3) await turn()
  control.abort()
  while (back.runs().serving > 2) await turn()
  await second
  go.resolve()
  assert.deepEqual([(await first).text(), (await third).text(), runs], ['done', 'done', 1])
})

test('one whose answer is not kept is not run again', async (t) => {
  const runs = []
  const never = new Promise(() => undefined)
  const routes = {
    slow: () => (runs.push('slow'), never),
    parts: () => (runs.push('parts'), new Answer('a', { parts: [{ source: 'b' }] })),
  }
  const { peer } = await pair(t, { routes })
  const control = new AbortController()
  const asked = assert.rejects(peer.request('slow', '', { idempotencyKey: key, signal: control.signal }), { name: 'AbortError' })
  while (runs.length === 0) await turn()
  control.abort()
  await asked
  await assert.rejects(peer.request('slow', '', { idempotencyKey: key }), { code: 'outcome_unknown' })
  const other = { idempotencyKey: Buffer.alloc(16, 'p') }
  const reply = await peer.request('parts', '', other)
  assert.equal(String(Buffer.concat(await reply.parts[0].toArray())), 'b')
  await assert.rejects(peer.request('parts', '', other), { code: 'outcome_unknown' })
  assert.deepEqual(runs, ['slow', 'parts'])
})

test('attempts are made until one is answered and the handler runs once', async (t) => {
  const keys = []
  const slow = async (request) => {
    keys.push(request.idempotencyKey)
    while (request.peer.runs().serving < 3) await turn() // until the third attempt is there
    return 'at last'
  }
  const { peer } = await pair(t, { routes: { slow } })
  const reply = await peer.request('slow', '', { timeout: 20, attempts: 1000, backoff: 0 })
  assert.equal(reply.text(), 'at last')
  assert.deepEqual([keys.length, keys[0].length], [1, 16])
  while (peer.runs().requests > 0) await turn() // the others were cancelled
})

test('attempts end with the last, with what no attempt changes, and with the signal', async (t) => {
  const runs = []
  const never = (request) => new Promise(() => request.signal.addEventListener('abort', () => runs.push('cancelled')))
  const fails = () => {
    runs.push('fails')
    throw new Status(64, 'no')
  }
  const { peer } = await pair(t, { routes: { never, fails } })
  await assert.rejects(peer.request('never', '', { timeout: 10, attempts: 3, backoff: { first: 1, most: 2 } }), { code: 'timeout' })
  while (runs.length === 0) await turn()
  await assert.rejects(peer.request('fails', '', { attempts: 3 }), { status: 64 })
  assert.deepEqual(runs, ['cancelled', 'fails'])
  await assert.rejects(peer.request('nowhere', '', { attempts: 3 }), { code: 'no_route' })
  const control = new AbortController()
  const asked = assert.rejects(peer.request('never', '', { attempts: 3, signal: control.signal }), { name: 'AbortError' })
  control.abort()
  await asked
  for (const wrong of [{ attempts: 0 }, { attempts: 2, backoff: -1 }, { attempts: 2, backoff: { first: 2, most: 1 } },
    { attempts: 2, backoff: null }, { attempts: 2, backoff: '1' }, { attempts: 2, parts: [{ source: 'x' }] }]) {
    await assert.rejects(peer.request('fails', '', wrong), { code: 'argument' })
  }
})
