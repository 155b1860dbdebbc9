// Middleware, failures of handlers, limits of how many run at once; tests/bindings/python/test_router.py has the same facts.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Node, Status } from 'sealwire'

import { defer, errorsOf, pair } from './support.mjs'

const noting = (notes, name) => async (request, next) => {
  notes.push(`${name} in`)
  try {
    return await next()
  } finally {
    notes.push(`${name} out`)
  }
}

test('middleware runs in the order in which it was added', async (t) => {
  const notes = []
  const { server, peer } = await pair(t)
  server.use(noting(notes, 'first'))
  server.route('before', () => {
    notes.push('handler')
    return 'answer'
  }, { use: [noting(notes, 'own'), noting(notes, 'own too')] })
  server.use(noting(notes, 'second'))
  assert.equal((await peer.request('before')).text(), 'answer')
  const inside = ['first in', 'second in', 'own in', 'own too in', 'handler']
  assert.deepEqual(notes, [...inside, 'own too out', 'own out', 'second out', 'first out'])
})

test('middleware stands around every handler and nothing else', async (t) => {
  const seen = []
  const { server, peer } = await pair(t, { routes: { plain: () => 'a', async * many() { yield 1; yield 2 } } })
  server.use((request, next) => {
    seen.push(request.route)
    return next()
  })
  await assert.rejects(peer.request('nowhere'), { code: 'no_route' })
  assert.deepEqual(seen, [])
  assert.equal((await peer.request('plain')).text(), 'a')
  const got = []
  for await (const one of peer.requestMany('many')) got.push(one.json())
  assert.deepEqual(got, [1, 2])
  server.route('', (request) => request.route)
  assert.equal((await peer.request('nowhere')).text(), 'nowhere')
  await peer.send('plain', undefined, { receipt: true })
  assert.deepEqual(seen, ['plain', 'many', 'nowhere', 'plain'])
})

test('middleware may answer, refuse and change the answer', async (t) => {
  const { server, peer } = await pair(t, { routes: { echo: (request) => request.text() } })
  server.use(async (request, next) => `${await next()}!`)
  server.use((request, next) => {
    if (request.text() === 'refuse') throw new Status(70, 'no')
    return request.text() === 'answer' ? 'own' : next()
  })
  assert.equal((await peer.request('echo', 'x')).text(), 'x!')
  assert.equal((await peer.request('echo', 'answer')).text(), 'own!')
  await assert.rejects(peer.request('echo', 'refuse'), { status: 70 })
})

test('next is called once', async (t) => {
  let calls = 0
  const { server, peer } = await pair(t, { routes: { echo: () => { calls++ } } })
  const errors = errorsOf(server)
  server.use(async (request, next) => {
    await next()
    await next()
  })
  await assert.rejects(peer.request('echo'), { code: 'handler_failed' })
  assert.equal(calls, 1)
  assert.match(errors[0].message, /next\(\) once/)
})

const failing = () => { throw new RangeError('the secret') }
const failingLater = async () => failing()

for (const [name, handler] of Object.entries({ failing, failingLater })) {
  test(`the words of a failure stay here and are logged with the peer: ${name}`, async (t) => {
    const lines = []
    const { server, client, peer } = await pair(t, { routes: { fail: handler }, server: { log: (line) => lines.push(line) } })
    const errors = errorsOf(server)
    await assert.rejects(peer.request('fail'), (error) => error.code === 'handler_failed' && !/secret/.test(error.message))
    assert.equal(errors[0].message, 'the secret')
    const [line] = lines.filter(({ code }) => code === 'handler_failed')
    assert.ok(line.text.includes(client.id) && line.text.includes('the secret') && line.text.includes('"fail"'), line.text)
    assert.equal(line.peer, client.id.slice(0, 8))
  })
}

test('a failure that nobody listens for is a warning that names the peer', async (t) => {
  const { client, peer } = await pair(t, { routes: { fail: failing } })
  const warned = defer()
  const listener = (warning) => warned.resolve(warning)
  process.once('warning', listener)
  await assert.rejects(peer.request('fail'), { code: 'handler_failed' })
  const warning = await warned.promise
  assert.ok(warning.message.includes(client.id) && warning.message.includes('the secret'), warning.message)
})

test('the words of a failure reach the requester when that is asked for', async (t) => {
  const all = await pair(t, { routes: { fail: failing }, server: { tellErrors: true } })
  errorsOf(all.server)
  await assert.rejects(all.peer.request('fail'), { code: 'handler_failed', text: 'RangeError: the secret' })
  const { server, peer } = await pair(t, { routes: { silent: failing } })
  errorsOf(server)
  server.route('fail', () => { throw new Error('é'.repeat(1000)) }, { tellErrors: true })
  await assert.rejects(peer.request('fail'), (error) => {
    assert.ok(error.text.startsWith('Error: éé') && [1023, 1024].includes(Buffer.byteLength(error.text)), error.text)
    return true
  })
  await assert.rejects(peer.request('silent'), { text: '' })
})

test('an error handler answers in place of the log', async (t) => {
  const told = []
  const onError = async (request, error) => {
    told.push([request.route, request.peer.id, error.message])
    const body = request.text()
    if (body === 'status') throw new Status(71, 'sorry')
    if (body === 'bug') throw new Error('its own')
    return body === 'nothing' ? undefined : 'instead'
  }
  const routes = { fail: failing, later: failingLater, status: () => { throw new Status(72) } }
  const { server, client, peer } = await pair(t, { routes, server: { onError } })
  const errors = errorsOf(server)
  assert.equal((await peer.request('fail')).text(), 'instead')
  assert.equal((await peer.request('later')).text(), 'instead')
  await assert.rejects(peer.request('fail', 'nothing'), { code: 'handler_failed' })
  await assert.rejects(peer.request('fail', 'status'), { status: 71 })
  assert.deepEqual(told[0], ['fail', client.id, 'the secret'])
  assert.deepEqual(errors, [])
  await assert.rejects(peer.request('status'), { status: 72 })
  assert.equal(told.length, 4)
  await assert.rejects(peer.request('fail', 'bug'), { code: 'handler_failed' })
  assert.deepEqual(errors.map(({ message }) => message).sort(), ['its own', 'the secret'])
})

test('a failure loses no other message', async (t) => {
  const got = []
  const { peer } = await pair(t, { server: { onError: () => {} }, routes: { count: (request) => {
    const number = Number(request.text())
    if (number % 3 === 0) throw new Error(String(number))
    got.push(number)
  } } })
  for (let number = 0; number < 300; number++) await peer.send('count', String(number))
  await peer.request('count', '1')
  assert.deepEqual(got, [...[...Array(300).keys()].filter((number) => number % 3), 1])
})

// A handler whose runs are counted and ended by the test.
class Gate {
  running = 0
  most = 0
  began = []
  free = 0
  held = []
  watchers = []
  handler = async (request) => {
    this.most = Math.max(this.most, ++this.running)
    this.began.push(request.text())
    for (const watcher of this.watchers.splice(0)) watcher()
    try {
      request.signal.throwIfAborted() // its requester may have gone before it began
      if (this.free > 0) this.free--
      else await new Promise((resolve, reject) => {
        this.held.push(resolve)
        request.signal.addEventListener('abort', () => {
          this.held = this.held.filter((one) => one !== resolve)
          reject(request.signal.reason)
        })
      })
      return request.text()
    } finally {
      this.running--
    }
  }

  async until(condition) {
    while (!condition()) await new Promise((resolve) => this.watchers.push(resolve))
  }

  open(n = 1) {
    for (let i = 0; i < n; i++) {
      const resolve = this.held.shift()
      if (resolve) resolve()
      else this.free++
    }
  }
}

test('only so many handlers of a route run at once', async (t) => {
  const gate = new Gate()
  const { server, peer } = await pair(t, { routes: { free: () => 'free' } })
  server.route('gate', gate.handler, { maxHandlers: 2 })
  const bodies = [...Array(20).keys()].map(String)
  const replies = bodies.map((body) => peer.request('gate', body))
  await gate.until(() => gate.running === 2)
  assert.equal((await peer.request('free')).text(), 'free')
  assert.deepEqual(gate.began, bodies.slice(0, 2))
  gate.open(20)
  assert.deepEqual((await Promise.all(replies)).map((reply) => reply.text()), bodies)
  assert.deepEqual(gate.began, bodies)
  assert.equal(gate.most, 2)
})

test('the limit of a node holds over all routes', async (t) => {
  const gate = new Gate()
  const routes = { a: gate.handler, b: gate.handler, free: () => 'free' }
  const { peer } = await pair(t, { routes, server: { maxHandlers: 3 } })
  const replies = [...Array(20).keys()].map((n) => peer.request('ab'[n % 2], String(n)))
  await gate.until(() => gate.running === 3)
  gate.open(20)
  assert.equal((await Promise.all(replies)).length, 20)
  assert.deepEqual([gate.most, gate.began.length], [3, 20])
  assert.equal((await peer.request('free')).text(), 'free')
})

test('messages that wait hold their sender and none is lost', async (t) => {
  const gate = new Gate()
  const { server, peer } = await pair(t, { client: { limits: { sendQueueBytes: 100_000 } } })
  server.route('gate', gate.handler, { maxHandlers: 1 })
  let sent = 0
  // A batch in a turn of the event loop, until one finds no room although there was time.
  for (let taken = true; taken;) {
    taken = peer.trySend('gate', `${sent} ${'x'.repeat(1000)}`)
    if (taken) sent++
    if (sent % 20 === 0) await new Promise(setImmediate)
  }
  assert.ok(sent < 100_000 && gate.began.length <= 1)
  gate.open(sent)
  await gate.until(() => gate.began.length === sent)
  assert.deepEqual(gate.began.map((body) => parseInt(body)), [...Array(sent).keys()])
  assert.equal(gate.most, 1)
})

test('a request that is cancelled while it waits is never handled', async (t) => {
  const gate = new Gate()
  const { server, peer } = await pair(t)
  server.route('gate', gate.handler, { maxHandlers: 1 })
  server.route('mark', () => 'here')
  const first = peer.request('gate', 'first')
  await gate.until(() => gate.running === 1)
  await assert.rejects(peer.request('gate', 'second', { timeout: 50 }), { code: 'timeout' })
  const third = peer.request('gate', 'third')
  await peer.request('mark') // comes behind the cancel
  gate.open(2)
  assert.deepEqual([(await first).text(), (await third).text()], ['first', 'third'])
  assert.deepEqual(gate.began, ['first', 'third'])
})

test('handlers that fail or are cancelled make room', async (t) => {
  const gate = new Gate()
  const { server, peer } = await pair(t, { server: { onError: () => {} } })
  server.route('gate', async (request) => {
    await gate.handler(request)
    throw new Error('failed')
  }, { maxHandlers: 1 })
  for (let i = 0; i < 3; i++) await assert.rejects(peer.request('gate', undefined, { timeout: 20 }), { code: 'timeout' })
  gate.open(6) // three are for those whose cancel is still on its way
  for (let i = 0; i < 3; i++) await assert.rejects(peer.request('gate'), { code: 'handler_failed' })
})

test('a limit and middleware go together', async (t) => {
  const gate = new Gate()
  const notes = []
  const { server, peer } = await pair(t, { server: { maxHandlers: 2 } })
  server.route('gate', gate.handler, { use: [noting(notes, 'own')] })
  server.use(noting(notes, 'all'))
  const replies = [...Array(5).keys()].map(() => peer.request('gate'))
  await gate.until(() => gate.running === 2)
  assert.deepEqual(notes, ['all in', 'own in', 'all in', 'own in'])
  gate.open(5)
  await Promise.all(replies)
  assert.equal(gate.most, 2)
  assert.equal(notes.filter((note) => note === 'all out').length, 5)
})

test('limits are not negative', async () => {
  await assert.rejects(Node.open({ maxHandlers: -1 }), { code: 'argument' })
  const node = await Node.open()
  assert.throws(() => node.route('x', () => {}, { maxHandlers: -1 }), { code: 'argument' })
  assert.throws(() => node.use('x'), { code: 'argument' })
  await node.close()
})
