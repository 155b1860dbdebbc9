// Procedure calls; tests/interop/rpc.* makes them between all languages.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { BAD_CALL, encode, Encoded, NO_FUNCTION, Node, Status, StatusError } from 'sealwire'

import { defer, errorsOf, pair } from './support.mjs'

class Counter {
  value = 0
  _secret = () => 'secret'
  data = { not: () => 'a function of its own' }
  add(n) { return (this.value += n) }
  _hidden() { return 'hidden' }
  get boom() { throw new Error('a getter is not looked at') }
}

class Child extends Counter {
  twice(n) { return this.add(2 * n) }
}

async function exposing(t, targets) {
  const { server, peer, client } = await pair(t)
  for (const [name, target] of Object.entries(targets)) server.expose(name, target)
  return { server, peer, client }
}

const refused = (promise, status) => assert.rejects(promise, (error) => {
  assert.ok(error instanceof StatusError, error)
  assert.equal(error.status, status)
  return true
})

test('a function is called by its name', async (t) => {
  const add = (a, b) => a + b
  const { peer } = await exposing(t, { add, nothing: () => {}, math: { vector: { add: (a, b) => a.map((x, i) => x + b[i]) } } })
  assert.equal(await peer.call('add', 1, 2), 3)
  assert.deepEqual(await peer.call('math.vector.add', [1, 2], [3, 4]), [4, 6])
  assert.equal(await peer.call('nothing'), undefined)
})

test('arguments and results may be bytes and nested', async (t) => {
  const { peer } = await exposing(t, { echo: (value) => value })
  const bytes = await peer.call('echo', Buffer.alloc(80000, 0xff))
  assert.ok(bytes instanceof Uint8Array && bytes.length === 80000)
  for (const value of [{ a: [{ b: [null, 1.5, -(2n ** 63n), 2n ** 64n - 1n] }] }, [], 'é', true]) {
    assert.deepEqual(await peer.call('echo', value), value)
  }
})

test('an object keeps its state', async (t) => {
  const { peer } = await exposing(t, { counter: new Counter() })
  assert.equal(await peer.call('counter.add', 2), 2)
  assert.equal(await peer.call('counter.add', 3), 5)
})

test('only what was exposed can be reached', async (t) => {
  const { server, peer } = await exposing(t, { child: new Child() })
  for (const name of ['', '.', 'child', 'child.add', 'child._hidden', 'child._secret', 'child.data', 'child.data.not', 'child.boom',
    'child.value', 'constructor', 'child.constructor', 'child.__proto__', '__proto__', 'toString', 'child.toString',
    'child.hasOwnProperty', 'child.twice.call', 'child.twice.constructor', 'child.twice.bind', 'expose']) {
    await refused(peer.call(name), NO_FUNCTION)
  }
  assert.equal(await peer.call('child.twice', 2), 4)
  server.unexpose('child')
  await refused(peer.call('child.twice', 2), NO_FUNCTION)
})

test('what has no functions cannot be exposed', async (t) => {
  const node = await Node.open()
  t.after(() => node.close())
  for (const target of [5, Counter, { a: 5 }, {}, null, undefined, 'text']) assert.throws(() => node.expose('name', target), { code: 'argument' })
  for (const name of ['', 'a..b', '.a', 5]) assert.throws(() => node.expose(name, () => {}), { code: 'argument' })
})

test('results may come later', async (t) => {
  const { peer } = await exposing(t, { later: async (n) => n })
  assert.deepEqual(await Promise.all([0, 1, 2, 3, 4].map((n) => peer.call('later', n))), [0, 1, 2, 3, 4])
})

test('many results come one after the other', async (t) => {
  const ended = []
  const over = defer()
  const { peer } = await exposing(t, {
    * count(to) {
      try {
        for (let n = 0; n < to; n++) yield n
      } finally {
        if (ended.push(to) === 2) over.resolve()
      }
    },
    async * slowly(to) { for (let n = 0; n < to; n++) yield n },
    once: () => 'one',
  })
  const all = async (results) => {
    const got = []
    for await (const one of results) got.push(one)
    return got
  }
  const expected = [...Array(100).keys()]
  for (const name of ['count', 'slowly']) assert.deepEqual(await all(peer.callMany(name, 100)), expected)
  assert.deepEqual(await all(peer.callMany('once')), ['one'])
  for await (const n of peer.callMany('count', 1e9)) if (n === 3) break
  await over.promise
  assert.deepEqual(ended, [100, 1e9])
  await refused(peer.call('count', 3), BAD_CALL)
})

test('an error has code, words and details', async (t) => {
  const refuse = () => { throw new Status(70, 'no', { why: new Uint8Array([0]) }) }
  const { peer } = await exposing(t, { refuse, later: async () => refuse(), async * many() { yield 1; refuse() } })
  const many = async () => { for await (const _ of peer.callMany('many')); }
  for (const call of [peer.call('refuse'), peer.call('later'), many()]) {
    await assert.rejects(call, (error) => {
      assert.deepEqual([error.status, error.text, [...error.details.why]], [70, 'no', [0]])
      return true
    })
  }
})

test('a failure of a function stays here', async (t) => {
  const { server, peer } = await exposing(t, { bug: () => { throw new TypeError('the secret of the server') }, unsayable: () => new Set() })
  const errors = errorsOf(server)
  await assert.rejects(peer.call('bug'), (error) => error.code === 'handler_failed' && !/secret/.test(error.message))
  await assert.rejects(peer.call('unsayable'), { code: 'handler_failed' })
  assert.equal(errors[0].message, 'the secret of the server')
  assert.equal(errors.length, 2)
})

test('what is no call is told', async (t) => {
  const { peer } = await exposing(t, { add: (a, b) => a + b })
  const broken = Object.assign(Object.create(Encoded.prototype), { bytes: Buffer.from('c1', 'hex'), bodyType: 3 })
  for (const body of [Buffer.alloc(0), 'text', { a: 1 }, 5, [], ['add'], ['add', 1], [1, []], ['add', [], 3], broken]) {
    await refused(peer.request('rpc', body), BAD_CALL)
  }
  for (const kind of ['json', 'messagepack', 'cbor']) {
    const reply = await peer.request('rpc', encode(['add', [1, 2]], kind))
    assert.deepEqual([reply.type, reply.decode()], [kind, 3])
  }
})

test('a notification is not answered', async (t) => {
  const got = []
  const { server, peer } = await exposing(t, {
    note: (n) => {
      got.push(n)
      if (n === 1) throw new Status(64, 'nobody hears it')
    },
    last: () => 'last',
  })
  const errors = errorsOf(server)
  for (const n of [0, 1, 2]) await peer.notify('note', n)
  await peer.notify('missing')
  assert.equal(await peer.call('last'), 'last')
  assert.deepEqual(got, [0, 1, 2])
  assert.deepEqual(errors.map(({ code }) => code), [64, NO_FUNCTION])
})

test('a function learns who calls', async (t) => {
  const { server, peer, client } = await exposing(t, { other: () => {} })
  server.expose('who', (request, n) => [request.peer.id, n], { withRequest: true })
  assert.deepEqual(await peer.call('who', 5), [client.id, 5])
})

test('a call has a deadline and can be cancelled', async (t) => {
  const { server, peer } = await exposing(t, { add: (n) => n })
  const ended = []
  server.expose('forever', (request) => new Promise((_, reject) => {
    request.signal.addEventListener('abort', () => (ended.push(1), reject(request.signal.reason)))
  }), { withRequest: true })
  await assert.rejects(peer.remote({ timeout: 50 }).call('forever'), { code: 'timeout' })
  const controller = new AbortController()
  const called = peer.remote({ signal: controller.signal }).call('forever')
  await peer.call('add', 1)
  controller.abort()
  await assert.rejects(called, { name: 'AbortError' })
  await peer.call('add', 1)
  assert.equal(ended.length, 2)
})
