// Requests and messages, over each transport: what is sent arrives, and every answer finds its requester.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { encode, Encoded, Status, StatusError } from 'sealwire'
import { defer, eachTransport, errorsOf, pair } from './support.mjs'

for (const [name, url] of eachTransport) {
  test(`${name}: echo`, async (t) => {
    const { peer } = await pair(t, { url: url(), routes: { echo: (request) => request.body } })
    for (const size of [0, 1, 64, 65535, 65536, 65537, 300000]) {
      const body = new Uint8Array(size).map((_, i) => i * 31)
      const reply = await peer.request('echo', body)
      assert.ok(Buffer.from(body).equals(reply.body), `${size} bytes`)
    }
  })

  test(`${name}: request with JSON`, async (t) => {
    const { peer } = await pair(t, { url: url(), routes: { greet: async (request) => ({ hello: request.json().name }) } })
    const reply = await peer.request('greet', { name: 'Ada' })
    assert.deepEqual(reply.json(), { hello: 'Ada' })
    assert.equal(reply.type, 'json')
  })

  test(`${name}: fast status`, async (t) => {
    const { peer } = await pair(t, {
      url: url(),
      routes: { done: () => {}, words: () => new Status(0, 'well done'), later: async () => {} },
    })
    for (const [route, words] of [['done', ''], ['words', 'well done'], ['later', '']]) {
      const reply = await peer.request(route, 'x')
      assert.equal(reply.hasBody, false)
      assert.equal(reply.words, words)
      assert.equal(reply.body.length, 0)
    }
  })

  test(`${name}: the peer is known on both sides`, async (t) => {
    const { server, client, peer, back, listener } = await pair(t, { url: url(), routes: { who: (request) => request.peer.id } })
    assert.equal(peer.id, server.id)
    assert.equal(back.id, client.id)
    assert.equal(await peer.request('who').then((reply) => reply.text()), client.id)
    assert.ok(peer.dialled && !back.dialled)
    assert.equal(listener.ticket, `${listener.address}#${server.id}`)
  })

  test(`${name}: requests from either side`, async (t) => {
    const { client, peer, back } = await pair(t, { url: url(), routes: { side: () => 'server' } })
    client.route('side', () => 'client')
    const [a, b] = await Promise.all([peer.request('side'), back.request('side')])
    assert.deepEqual([a.text(), b.text()], ['server', 'client'])
  })

  test(`${name}: a large message of 5 MB`, async (t) => {
    const { peer } = await pair(t, { url: url(), routes: { echo: async (request) => request.body } })
    const body = Buffer.alloc(5_000_000, 'sealwire')
    const reply = await peer.request('echo', body)
    assert.ok(body.equals(reply.body))
  })

  test(`${name}: 1,000 requests at once`, async (t) => {
    const { peer } = await pair(t, { url: url(), routes: { double: async (request) => 2 * request.json() } })
    const replies = await Promise.all(Array.from({ length: 1000 }, (_, i) => peer.request('double', i)))
    assert.deepEqual(replies.map((reply) => reply.json()), Array.from({ length: 1000 }, (_, i) => 2 * i))
  })

  test(`${name}: messages arrive in order, receipts say that they were taken`, async (t) => {
    const taken = []
    const { peer } = await pair(t, { url: url(), routes: { log: (message) => taken.push(message.json()) } })
    for (let i = 0; i < 2000; i++) await peer.send('log', i)
    await peer.send('log', 2000, { receipt: true })
    assert.deepEqual(taken, Array.from({ length: 2001 }, (_, i) => i))
  })

  test(`${name}: messages of one turn keep their order where they fill the memory of commands, and the queue`, async (t) => {
    const got = []
    const { peer } = await pair(t, { url: url(), client: { limits: { sendQueueBytes: 64 * 1024 } },
      routes: { log: (message) => void got.push(message.json().i) } })
    const long = 'x'.repeat(5000)
    const all = Array.from({ length: 200 }, (_, i) => (i % 10 === 5 ? peer.request('log', { i, long }) : peer.send('log', { i, long })))
    await Promise.all(all)
    await peer.request('log', { i: 200 })
    assert.deepEqual(got, Array.from({ length: 201 }, (_, i) => i))
  })

  test(`${name}: a message is written before it is taken, or fails`, async (t) => {
    const taken = []
    const { server, peer } = await pair(t, { url: url(), routes: { x: (message) => taken.push(message.text()) } })
    server.pause('x')
    await peer.send('x', 'first', { receipt: 'written' })
    let acknowledged = false
    const second = peer.send('x', 'second', { receipt: 'acknowledged' }).then(() => (acknowledged = true))
    await peer.send('x', 'third', { receipt: 'written', metadata: { name: 'value' } })
    assert.ok(taken.length === 0 && !acknowledged)
    server.resume('x')
    await second
    assert.deepEqual(taken.slice(0, 2), ['first', 'second'])
    server.pause('x')
    const big = Array.from({ length: 60 }, () => peer.send('x', new Uint8Array(60_000), { receipt: 'written' }))
    await big[0]
    const ends = Promise.allSettled(big)
    await peer.close({ deadline: 1 })
    const last = (await ends).at(-1)
    assert.equal(last.reason?.code, 'not_sent')
    await assert.rejects(peer.send('x', '', { receipt: 'sent' }), { name: /Error/ })
  })

  test(`${name}: backpressure: send waits for room, trySend says that there is none`, async (t) => {
    let bytes = 0
    const { peer } = await pair(t, {
      url: url(),
      client: { limits: { sendQueueBytes: 256 * 1024 } },
      routes: { count: (message) => { bytes += message.body.length } },
    })
    // What this thread sends cannot be taken before it returns to its events: window, socket and queue fill up.
    const body = new Uint8Array(8 * 1024)
    let sent = 0
    while (peer.trySend('count', body)) assert.ok(++sent < 100_000, 'the queue never fills')
    const writable = new Promise((resolve) => peer.once('writable', resolve))
    const order = []
    const waiting = Array.from({ length: 50 }, (_, i) => peer.send('count', body).then(() => order.push(i)))
    const large = peer.send('count', new Uint8Array(200_000))
    const controller = new AbortController()
    const cancelled = assert.rejects(peer.send('count', body, { signal: controller.signal }), { name: 'AbortError' })
    controller.abort()
    assert.deepEqual(order, [])
    await writable
    await Promise.all([...waiting, large, cancelled])
    assert.deepEqual(order, Array.from({ length: 50 }, (_, i) => i))
    await peer.send('count', new Uint8Array(100_000), { receipt: true })
    assert.equal(bytes, (sent + 50) * body.length + 300_000)
  })

  test(`${name}: backpressure: requests wait for room and are answered all the same`, async (t) => {
    const { peer } = await pair(t, {
      url: url(),
      client: { limits: { sendQueueBytes: 64 * 1024 } },
      routes: { size: async (request) => request.body.length, last: (message) => message.text() },
    })
    const sizes = Array.from({ length: 1500 }, (_, i) => (i % 100 === 0 ? 100_000 + i : i))
    const replies = await Promise.all(sizes.map((size) => peer.request('size', new Uint8Array(size))))
    assert.deepEqual(replies.map((reply) => reply.json()), sizes)
    const sent = sizes.map((size) => peer.send('last', new Uint8Array(size), { receipt: true }))
    await Promise.all(sent)
    const controller = new AbortController()
    const silent = peer.send('last', 'x', { receipt: true, signal: controller.signal })
    controller.abort()
    await assert.rejects(silent, { name: 'AbortError' })
  })

  test(`${name}: ping`, async (t) => {
    const { peer } = await pair(t, { url: url() })
    const { roundTrip, clockDifference } = await peer.ping()
    assert.ok(roundTrip > 0 && roundTrip < 10_000)
    assert.ok(Math.abs(clockDifference) < 10_000)
  })
}

test('routes without a number and the default route', async (t) => {
  const { server, peer } = await pair(t, { routes: { '': (request) => request.route } })
  server.route('named', () => 'by name')
  for (let i = 0; i < 1100; i++) assert.equal((await peer.request(`route ${i} é`)).text(), `route ${i} é`)
  assert.equal((await peer.request('named')).text(), 'by name')
  server.unroute('named')
  assert.equal((await peer.request('named')).text(), 'named')
})

test('bodies: bytes, buffers, texts, JSON, nothing', async (t) => {
  const { peer } = await pair(t, { routes: { type: (request) => `${request.type} ${request.text()}`, back: (request) => request.json() } })
  const said = async (body) => (await peer.request('type', body)).text()
  assert.equal(await said(Buffer.from('a')), 'bytes a')
  assert.equal(await said(new Uint8Array([97]).buffer), 'bytes a')
  assert.equal(await said('größe'), 'utf8 größe')
  assert.equal(await said([1, null]), 'json [1,null]')
  assert.equal(await said(null), 'json null')
  assert.equal(await said(undefined), 'bytes ')
  const long = 'ä'.repeat(200_000)
  assert.equal(await said(long), `utf8 ${long}`)
  assert.equal((await peer.request('back', { a: long })).json().a, long)
  await assert.rejects(peer.request('type', () => {}), { code: 'argument' })
  await assert.rejects(peer.request('type', { n: 1n }), { code: 'argument' })
  await assert.rejects(peer.request(''), { code: 'argument', name: 'UsageError' })
  await assert.rejects(peer.send('x'.repeat(256)), { code: 'argument' })
})

test('a view that is kept does not change', async (t) => {
  const kept = []
  const { peer } = await pair(t, { routes: { keep: (message) => { kept.push(message.body) } } })
  for (let i = 0; i < 3000; i++) await peer.send('keep', String(i))
  await peer.send('keep', '3000', { receipt: true })
  assert.deepEqual(kept.map((body) => Buffer.from(body).toString()), Array.from({ length: 3001 }, (_, i) => String(i)))
})

test('a status: thrown or returned, it reaches the requester with its words', async (t) => {
  const { peer } = await pair(t, {
    routes: { thrown: () => { throw new Status(64, 'no') }, returned: async () => new Status(4095, 'never') },
  })
  await assert.rejects(peer.request('thrown'), { name: 'StatusError', code: 'status', status: 64, text: 'no' })
  await assert.rejects(peer.request('returned'), { name: 'StatusError', code: 'status', status: 4095, text: 'never' })
})

test('a status that cannot be sent is a failed handler', async (t) => {
  const { server, peer } = await pair(t, {
    routes: {
      wordy: () => { throw new Status(70, 'x'.repeat(1025)) },
      returned: async () => new Status(70, 'x'.repeat(1025)),
      number: () => new Status(5, 'x'),
    },
  })
  const errors = errorsOf(server)
  for (const route of ['wordy', 'returned', 'number']) await assert.rejects(peer.request(route), { code: 'handler_failed' })
  assert.deepEqual(errors.map((error) => error.code), ['argument', 'argument', 'argument'])
})

test('a message that is too large is refused where it is sent', async (t) => {
  const { peer } = await pair(t, { routes: { alive: () => 'yes' } })
  const body = new Uint8Array(20 * 1024 * 1024)
  await assert.rejects(peer.send('alive', body), { code: 'too_big', peer: peer.id })
  assert.throws(() => peer.trySend('alive', body), { code: 'too_big' })
  await assert.rejects(peer.request('alive', body), { code: 'too_big' })
  assert.equal((await peer.request('alive')).text(), 'yes')
})

test('no_route', async (t) => {
  const { peer } = await pair(t)
  await assert.rejects(peer.request('absent'), { name: 'RequestError', code: 'no_route' })
})
test('a handler that fails: handler_failed, and its words stay here', async (t) => {
  const { server, peer } = await pair(t, {
    routes: { sync: () => { throw new Error('the secret') }, async: async () => { throw new Error('the secret') }, reply: () => 1n },
  })
  const errors = errorsOf(server)
  for (const route of ['sync', 'async', 'reply']) {
    await assert.rejects(peer.request(route), (error) => {
      assert.equal(error.code, 'handler_failed')
      assert.doesNotMatch(`${error.message}${error.text}`, /secret/)
      return true
    })
  }
  assert.deepEqual(errors.map((error) => error.constructor.name), ['Error', 'Error', 'UsageError'])
  assert.match(errors[0].message, /the secret/)
})


for (const details of [{ left: 0 }, 'words', ['list'], null, encode({ a: 'b' }, 'messagepack'), encode([1], 'cbor')]) {
  test(`a status may have details: ${details?.type ?? JSON.stringify(details)}`, async (t) => {
    const { peer } = await pair(t, { routes: {
      refuse: () => { throw new Status(64, 'no', details) },
      later: async () => new Status(65, 'no', details),
    } })
    for (const [route, code] of [['refuse', 64], ['later', 65]]) {
      await assert.rejects(peer.request(route), (error) => {
        assert.deepEqual([error.status, error.text], [code, 'no'])
        assert.deepEqual(error.details, details instanceof Encoded ? { messagepack: { a: 'b' }, cbor: [1] }[details.type] : details)
        return error instanceof StatusError
      })
    }
  })
}

test('details that no status can carry are a failure of the handler', async (t) => {
  const { server, peer } = await pair(t, { routes: { refuse: () => { throw new Status(64, 'no', new Uint8Array(4095)) } } })
  const errors = errorsOf(server)
  await assert.rejects(peer.request('refuse'), { code: 'handler_failed' })
  assert.deepEqual(errors.map(({ code }) => code), ['too_big'])
})
