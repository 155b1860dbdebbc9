// Drafts: what they say arrives as with every message said anew, and what they cannot say is refused.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Draft, encode, Node, SealwireError, UsageError } from 'sealwire'

import { defer, eachTransport, nextLine, pair, program } from './support.mjs'

const once = { tenant: 'Ada', n: '' }
const trace = `00-${'4b'.repeat(16)}-${'0f'.repeat(8)}-01`
const key = Buffer.from('a key of sixteen')

const told = (request) => ({ route: request.route, type: request.type, body: Buffer.from(request.body).toString('latin1'),
  metadata: Object.entries(request.metadata), trace: request.trace ?? null,
  key: request.idempotencyKey ? Buffer.from(request.idempotencyKey).toString() : null })
const expected = (type, body, { more = [], trace: context = null, key: own = null, route = 'orders.place' } = {}) =>
  ({ route, type, body, metadata: [['tenant', 'Ada'], ['n', ''], ...more], trace: context, key: own })

// What one() has seen, in its order.
function collector() {
  const queue = []
  const waiting = []
  return {
    put: (one) => (waiting.length > 0 ? waiting.shift()(one) : queue.push(one)),
    next: () => (queue.length > 0 ? Promise.resolve(queue.shift()) : new Promise((resolve) => waiting.push(resolve))),
  }
}

for (const [name, url] of eachTransport) {
  test(`route, type and metadata arrive by every call that takes a route: ${name}`, async (t) => {
    const arrived = collector()
    const { client, peer } = await pair(t, { url: url(), routes: {
      'orders.place': async (request) => {
        arrived.put(told(request))
        for (const part of request.parts) part.resume()
        return told(request)
      },
      many: async function* (request) {
        yield told(request)
        yield 'end'
      },
    } })
    const draft = client.draft('orders.place', { type: 'json', metadata: once })
    assert.ok(draft instanceof Draft)
    assert.deepEqual([draft.route, draft.type, String(draft)], ['orders.place', 'json', 'orders.place'])
    const want = expected('json', '[1]')
    for (let i = 0; i < 2; i++) assert.deepEqual((await peer.request(draft, [1])).json(), want)
    for (let i = 0; i < 2; i++) assert.deepEqual(await arrived.next(), want)
    await peer.send(draft, [1])
    await peer.send(draft, [1], { receipt: true })
    await peer.send(draft, [1], { receipt: 'written' })
    assert.equal(peer.trySend(draft, [1]), true)
    assert.match(await peer.send(draft, [1], { uuid: true }), /^[0-9a-f-]{36}$/)
    await peer.send(draft, [1], { parts: [{ source: 'x' }] })
    for (let i = 0; i < 6; i++) assert.deepEqual(await arrived.next(), want)
    await peer.send(draft)
    assert.deepEqual(await arrived.next(), expected('json', ''))
    assert.deepEqual((await peer.request(draft, [1], { parts: [{ source: 'x' }] })).json(), want)
    assert.deepEqual((await peer.request(draft, 'a text', { timeout: 20_000 })).json(), expected('json', '"a text"'))
    const large = 'x'.repeat(200_000)
    assert.deepEqual((await peer.request(draft, large)).json(), expected('json', `"${large}"`))
    // What a message says of itself comes behind, and stands beside.
    const beside = { more: [['by', 'Bob']], trace, key: key.toString() }
    assert.deepEqual((await peer.request(draft, {}, { metadata: { by: 'Bob' }, trace, idempotencyKey: key })).json(), expected('json', '{}', beside))
    const other = Buffer.from(key).reverse()
    assert.deepEqual((await peer.request(draft, {}, { attempts: 2, idempotencyKey: other })).json(), expected('json', '{}', { key: other.toString() }))
    const many = client.draft('many', { metadata: [['tenant', 'Ada'], ['n', '']] })
    const got = []
    for await (const reply of peer.requestMany(many, 'x', { metadata: { by: 'Bob' } })) got.push(reply.type === 'json' ? reply.json() : reply.text())
    assert.deepEqual(got, [expected('utf8', 'x', { more: beside.more, route: 'many' }), 'end'])
    got.length = 0
    for await (const reply of peer.requestMany(many, 'x')) got.push(reply.type)
    for await (const said of peer.converse(draft, [1])) got.push(said.json())
    assert.deepEqual(got, ['json', 'utf8', want])
  })
}

for (const [type, value] of [['bytes', new Uint8Array([0, 255])], ['utf8', 'text'], ['json', { a: [1, null] }], ['json', 'text'], ['json', null],
  ['messagepack', { a: [1] }], ['messagepack', 'text'], ['messagepack', null], ['messagepack', new Uint8Array([255])], ['cbor', [1.5]]]) {
  test(`bodies are encoded as the draft says: ${type} of ${JSON.stringify(value)}`, async (t) => {
    const { client, peer } = await pair(t, { routes: { echo: (request) => {
      assert.equal(request.type, type)
      return encode(request.decode(), type)
    } } })
    const draft = client.draft('echo', { type })
    const plain = (one) => (one instanceof Uint8Array ? [...one] : one)
    assert.deepEqual(plain((await peer.request(draft, value)).decode()), plain(value))
    assert.deepEqual(plain((await peer.request(draft, encode(value, type))).decode()), plain(value))
    assert.deepEqual(plain((await peer.request(draft, value, { metadata: once })).decode()), plain(value))
  })
}

test('without a type each body says its own, and text that is encoded already is taken as bytes', async (t) => {
  const { client, peer } = await pair(t, { routes: { '': (request) => [request.type, request.metadata.tenant ?? null, request.decode()] } })
  const draft = client.draft('anything', { metadata: once })
  assert.equal(draft.type, undefined)
  for (const [body, type] of [['x', 'utf8'], [[1], 'json'], [encode(1, 'cbor'), 'cbor'], ['x', 'utf8']]) {
    assert.deepEqual((await peer.request(draft, body)).json().slice(0, 2), [type, 'Ada'])
  }
  for (const [type, body, value] of [['json', Buffer.from('{"a":1}'), { a: 1 }], ['json', new Uint8Array([91, 93]).buffer, []], ['utf8', Buffer.from('x'), 'x']]) {
    assert.deepEqual((await peer.request(client.draft('x', { type }), body)).json(), [type, null, value])
  }
})

test('a body of another type is refused, and the draft goes on', async (t) => {
  const { client, peer } = await pair(t, { routes: { '': (request) => request.body } })
  for (const [type, value] of [['bytes', 'text'], ['bytes', {}], ['bytes', encode('x', 'utf8')], ['utf8', 5], ['utf8', encode(1, 'json')], ['json', 1n],
    ['json', encode(1, 'cbor')], ['messagepack', 2n ** 64n], ['messagepack', encode(1, 'json')], ['cbor', new Set()]]) {
    const draft = client.draft('x', { type })
    for (const call of [() => peer.send(draft, value), () => peer.request(draft, value), () => peer.send(draft, value, { metadata: once })]) {
      await assert.rejects(call, UsageError, `${type} ${typeof value}`)
    }
    assert.throws(() => peer.trySend(draft, value), UsageError)
    const body = encode(type === 'bytes' ? Buffer.from('x') : 'x', type)
    assert.deepEqual([...(await peer.request(draft, body)).body], [...body.bytes])
  }
})

test('what is wrong is refused where it is made', async (t) => {
  const { client, peer } = await pair(t, { routes: { '': (request) => Object.keys(request.metadata).length } })
  for (const [route, options] of [['', {}], ['x'.repeat(256), {}], [5, {}], ['x', { type: 'xml' }], ['x', { metadata: { '': 'x' } }],
    ['x', { metadata: { a: 'x'.repeat(5000) } }], ['x', { metadata: { a: 1 } }], ['x', { trace }]]) {
    assert.throws(() => client.draft(route, options), UsageError, `${String(route).slice(0, 9)} ${Object.keys(options)}`)
  }
  const half = client.draft('x', { metadata: { a: 'x'.repeat(3000) } })
  await assert.rejects(peer.request(half, undefined, { metadata: { b: 'x'.repeat(1200) } }), SealwireError)
  assert.equal((await peer.request(half, undefined, { metadata: { b: 'x'.repeat(1000) } })).json(), 2)
  await assert.rejects(peer.send({ route: 'x' }), UsageError)
  await assert.rejects(peer.send(null), UsageError)
  await client.close()
  assert.throws(() => client.draft('y'), SealwireError)
})

test('a draft is of its node', async (t) => {
  const { client, peer } = await pair(t, { routes: { '': (request) => request.route } })
  const other = await Node.open()
  const foreign = other.draft('elsewhere', { metadata: once })
  client.draft('here') // has the same number there
  const refused = { name: 'UsageError', message: /another node/ }
  const check = async () => {
    for (const options of [undefined, { metadata: once }]) {
      await assert.rejects(peer.send(foreign, 'x', options), refused)
      await assert.rejects(peer.request(foreign, 'x', options), refused)
    }
    assert.throws(() => peer.trySend(foreign, 'x'), refused)
    assert.throws(() => peer.requestMany(foreign, 'x'), refused)
  }
  await check()
  await other.close()
  await check()
  assert.equal((await peer.request('still', 'x')).text(), 'still')
})

test('messages by a draft wait for room in their order, also when the draft is gone', async (t) => {
  const got = []
  const gate = defer()
  const { client, peer } = await pair(t, { client: { limits: { sendQueueBytes: 64 * 1024 } }, routes: {
    news: async (request) => {
      got.push([request.type, request.text().slice(0, 3), request.metadata.tenant])
      await gate.promise
    },
  } })
  const sends = []
  const begin = () => {
    const draft = client.draft('news', { type: 'utf8', metadata: once })
    for (let i = 100; i < 200; i++) sends.push(peer.send(draft, `${i}${'x'.repeat(5000)}`))
    assert.equal(peer.trySend(draft, 'x'.repeat(100_000)), false)
  }
  begin()
  gate.resolve()
  await Promise.all(sends)
  await peer.send('news', '200', { receipt: true, metadata: once })
  assert.deepEqual(got, Array.from({ length: 101 }, (_, i) => ['utf8', String(100 + i), 'Ada']))
})

test('drafts that nobody holds any more are given back, and those of messages that were not sent yet are not', async () => {
  const { lines, exit } = program(`
    import { Node } from 'sealwire'
    const server = await Node.open({ allow: 'anyone' })
    const seen = new Set()
    server.route('', (request) => { seen.add(request.route + ' ' + request.metadata.n) })
    const client = await Node.open()
    const peer = await client.connect((await server.listen('tcp://127.0.0.1:0')).ticket)
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 50; i++) void peer.send(client.draft('r' + i, { metadata: { n: String(round) } }), 'x')
      gc()
      await new Promise(setImmediate)
      gc()
      await peer.request(client.draft('r', { metadata: { n: '' } }), 'x')
    }
    const left = client.core.box.draft('probe', 0, undefined) // the lowest number that is free is near 0 when they were given back
    console.log(seen.size, left < 500)
    await client.close()
    await server.close()
  `, [], ['--expose-gc'])
  assert.equal(await nextLine(lines), '1001 true')
  assert.deepEqual(await exit, { code: 0, signal: null, errors: '' })
})
