// Conversations, deadlines, and what messages carry; the same scenarios as in tests/bindings/python/test_conversations.py.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Answer } from 'sealwire'
import { defer, eachTransport, pair } from './support.mjs'

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

for (const [name, url] of eachTransport) {
  test(`${name}: metadata and trace reach the handler and come back with the reply`, async (t) => {
    const look = (request) => new Answer(request.body.slice(), { metadata: { ...request.metadata, seen: 'yes' }, trace: request.trace })
    const { peer } = await pair(t, { url: url(), routes: { look } })
    const reply = await peer.request('look', 'x', { metadata: { user: 'Ada', größe: '3' }, trace: TRACE })
    assert.deepEqual({ ...reply.metadata }, { user: 'Ada', größe: '3', seen: 'yes' })
    assert.equal(reply.trace, TRACE)
    const plain = await peer.request('look', 'x')
    assert.deepEqual({ ...plain.metadata }, { seen: 'yes' })
    assert.equal(plain.trace, undefined)
  })

  test(`${name}: the handler asks until it knows enough`, async (t) => {
    const add = async (request) => {
      let total = Number(request.text())
      for (;;) {
        const said = await request.talk.ask('more?')
        if (!said.hasBody) return String(total)
        total += Number(said.text())
      }
    }
    const { peer } = await pair(t, { url: url(), routes: { add } })
    const numbers = [20, 300]
    let result
    for await (const said of peer.converse('add', '1')) {
      if (!said.asks) {
        result = said.text()
        continue
      }
      assert.equal(said.text(), 'more?')
      if (numbers.length > 0) said.answer(String(numbers.shift()))
      else said.answer()
    }
    assert.equal(result, '321')
  })

  test(`${name}: the requester asks while it is asked, and answers ask in turn`, async (t) => {
    const deep = async (request) => {
      for await (let said of request.talk) {
        let depth = Number(said.text())
        while (depth > 0) {
          said = await said.ask(String(depth - 1))
          depth = Number(said.text())
        }
        if (said.asks) said.answer('bottom')
        return 'done'
      }
    }
    const { peer } = await pair(t, { url: url(), routes: { deep } })
    const talk = peer.converse('deep')
    let turns = 1
    let said = await talk.ask('100')
    for (; said.asks; turns++) said = await said.ask(String(Math.max(Number(said.text()) - 1, 0)))
    assert.equal(said.text(), 'bottom')
    assert.ok(turns > 50)
    const replies = []
    for await (const reply of talk) replies.push(reply.text())
    assert.deepEqual(replies, ['done'])
  })
}

test('a one-way message carries metadata, and the first of a name counts', async (t) => {
  const seen = defer()
  const { peer } = await pair(t, { routes: { note: (request) => seen.resolve(request.metadata) } })
  await peer.send('note', 'x', { metadata: [['a', '1'], ['a', '2']] })
  assert.deepEqual({ ...(await seen.promise) }, { a: '1' })
})

test('metadata that is too long, or a trace of another form, is refused', async (t) => {
  const { peer } = await pair(t)
  await assert.rejects(peer.request('x', '', { metadata: { a: 'x'.repeat(5000) } }), { code: 'argument' })
  await assert.rejects(peer.request('x', '', { trace: '01-00' }), { code: 'argument' })
  await assert.rejects(peer.request('x', '', { idempotencyKey: Buffer.from('short') }), { code: 'argument' })
})

test('the handler sees the idempotency key', async (t) => {
  const { peer } = await pair(t, { routes: { key: (request) => Buffer.from(request.idempotencyKey) } })
  const key = Buffer.alloc(16, 7)
  assert.ok(key.equals((await peer.request('key', '', { idempotencyKey: key })).body))
})

test('a message has one UUID at both ends', async (t) => {
  const seen = []
  const look = async (request) => {
    seen.push(request.uuid)
    for (const part of request.parts) for await (const piece of part) assert.equal(String(piece), 'x') // or it is cancelled
    return request.replyUuid()
  }
  const { peer } = await pair(t, { routes: { look } })
  for (const options of [{}, { receipt: true }, { metadata: { a: 'b' } }, { parts: [{ source: 'x' }] }]) {
    const own = await peer.send('look', undefined, { uuid: true, ...options })
    await peer.request('look')
    assert.deepEqual([seen[0], new Set(seen).size], [own, 2])
    seen.length = 0
  }
  const replies = [await peer.request('look'), await peer.request('look')]
  assert.equal(new Set([...seen, ...replies.map((reply) => reply.uuid)]).size, 4)
  for (const uuid of seen) assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.deepEqual(replies.map((reply) => reply.requestUuid), seen)
  assert.deepEqual(replies.map((reply) => reply.uuid), replies.map((reply) => reply.text()))
})

test('a question is answered by a status, which ask rejects with', async (t) => {
  const refuse = async (request) => {
    for await (const said of request.talk) {
      said.status(70, 'not that')
      assert.throws(() => said.answer('twice'), { code: 'state' })
      return 'end'
    }
  }
  const { peer } = await pair(t, { routes: { refuse } })
  const talk = peer.converse('refuse')
  await assert.rejects(talk.ask('this?'), { status: 70, text: 'not that' })
})

test('the end of the exchange ends what was asked', async (t) => {
  const asked = defer()
  const { peer } = await pair(t, { routes: { leave: async () => (await asked.promise, 'bye') } })
  const talk = peer.converse('leave')
  const question = talk.ask('?')
  asked.resolve()
  await assert.rejects(question, { code: 'cancelled' })
  for await (const reply of talk) assert.equal(reply.text(), 'bye')
  assert.equal(peer.runs().questions, 0)
})

test('leaving a conversation cancels its handler', async (t) => {
  const ended = defer()
  const wait = async (request) => {
    try {
      await request.talk.ask('?')
    } finally {
      ended.resolve(request.signal.aborted)
    }
  }
  const { peer, server } = await pair(t, { routes: { wait } })
  server.on('error', () => {})
  for await (const said of peer.converse('wait')) {
    assert.ok(said.asks)
    break
  }
  await ended.promise
})

test('asking a requester that does not converse is an error', async (t) => {
  const ask = (request) => {
    assert.equal(request.converses, false)
    assert.throws(() => request.talk, { code: 'state' })
    return 'fine'
  }
  const { peer } = await pair(t, { routes: { ask } })
  assert.equal((await peer.request('ask')).text(), 'fine')
})

const stop = async function* (request) {
  yield 'one'
  await new Promise((resolve) => request.signal.addEventListener('abort', resolve))
}

test('deadlines between replies, and for all of them', async (t) => {
  const wait = (request) => new Promise((resolve) => request.signal.addEventListener('abort', resolve))
  const { peer } = await pair(t, { routes: { stop, wait } })
  for (const options of [{ between: 20 }, { total: 20 }]) {
    await assert.rejects(async () => {
      for await (const reply of peer.requestMany('stop', '', { timeout: Infinity, ...options })) assert.equal(reply.text(), 'one')
    }, { code: 'timeout' })
  }
  await assert.rejects(peer.request('wait', '', { timeout: Infinity, total: 20 }), { code: 'timeout' })
})

test('deadlines are changed, paused and resumed while it runs', async (t) => {
  const { peer } = await pair(t, { routes: { stop } })
  const replies = peer.requestMany('stop', '', { timeout: Infinity })
  assert.equal((await replies.next()).value.text(), 'one')
  replies.pause()
  replies.setDeadlines({ next: 20 })
  assert.equal(peer.runs().requests, 1)
  replies.resume()
  await assert.rejects(replies.next(), { code: 'timeout' })
  assert.equal(peer.runs().requests, 0)
})
