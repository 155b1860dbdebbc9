// Many replies: generators that answer, iterators that read, and how either end stops the other.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Answer, Status } from 'sealwire'
import { defer, eachTransport, errorsOf, pair } from './support.mjs'

async function all(replies) {
  const bodies = []
  for await (const reply of replies) bodies.push(reply.text())
  return bodies
}

for (const [name, url] of eachTransport) {
  test(`${name}: many replies, in order`, async (t) => {
    const { peer } = await pair(t, {
      url: url(),
      routes: {
        count: async function* (request) {
          for (let i = 0; i < request.json(); i++) yield i
        },
        sync: function* () { yield 'a'; yield Buffer.from('b'); yield new Answer('c') },
        plain: (request) => String(request.expectsMany),
        none: () => {},
        empty: async function* () {},
      },
    })
    assert.deepEqual(await all(peer.requestMany('count', 5000)), Array.from({ length: 5000 }, (_, i) => String(i)))
    assert.deepEqual(await all(peer.requestMany('sync')), ['a', 'b', 'c'])
    assert.deepEqual(await all(peer.requestMany('plain')), ['true'])
    assert.deepEqual(await all(peer.requestMany('none')), [])
    assert.deepEqual(await all(peer.requestMany('empty')), [])
  })

  test(`${name}: large replies`, async (t) => {
    const { peer } = await pair(t, {
      url: url(),
      routes: { large: async function* () { for (let i = 0; i < 20; i++) yield Buffer.alloc(300_000, i) } },
    })
    let count = 0
    for await (const reply of peer.requestMany('large')) assert.ok(Buffer.alloc(300_000, count++).equals(reply.body))
    assert.equal(count, 20)
  })
}

test('break cancels at the peer: finally blocks of the handler run', async (t) => {
  const ended = defer()
  const { server, peer } = await pair(t, {
    routes: {
      tail: async function* (request) {
        try {
          for (let i = 0; ; i++) yield i
        } finally {
          ended.resolve(request.signal)
        }
      },
    },
  })
  const errors = errorsOf(server)
  const seen = []
  for await (const reply of peer.requestMany('tail')) {
    seen.push(reply.json())
    if (seen.length === 10) break
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  const signal = await ended.promise
  assert.ok(signal.aborted)
  assert.equal(signal.reason.code, 'cancelled')
  assert.deepEqual(errors, [])
})

test('the signal ends the iteration, at the peer too', async (t) => {
  const ended = defer()
  const { peer } = await pair(t, {
    routes: {
      wait: async function* (request) {
        try {
          yield 'first'
          await new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason)))
        } finally {
          ended.resolve()
        }
      },
    },
  })
  const controller = new AbortController()
  const replies = peer.requestMany('wait', undefined, { signal: controller.signal })
  assert.equal((await replies.next()).value.text(), 'first')
  const next = assert.rejects(replies.next(), { name: 'AbortError' })
  controller.abort()
  await next
  assert.deepEqual(await replies.next(), { value: undefined, done: true })
  await ended.promise
  assert.throws(() => peer.requestMany('wait', undefined, { signal: controller.signal }), { name: 'AbortError' })
})

test('a failure is thrown behind the replies that came before', async (t) => {
  const { server, peer } = await pair(t, {
    routes: {
      status: function* () { yield 1; yield 2; throw new Status(70, 'enough') },
      fails: async function* () { yield 1; throw new Error('the secret') },
      returned: async function* () { yield 1; return new Status(71) },
      wrong: async function* () { try { yield () => {} } finally { returned.resolve() } },
    },
  })
  const returned = defer()
  const errors = errorsOf(server)
  const outcome = async (route) => {
    const seen = []
    try {
      for await (const reply of peer.requestMany(route)) seen.push(reply.json())
      return seen
    } catch (error) {
      return [...seen, error.code, error.status]
    }
  }
  assert.deepEqual(await outcome('status'), [1, 2, 'status', 70])
  assert.deepEqual(await outcome('fails'), [1, 'handler_failed', 13])
  assert.deepEqual(await outcome('returned'), [1, 'status', 71])
  assert.deepEqual(await outcome('wrong'), ['handler_failed', 13])
  assert.deepEqual(await outcome('absent'), ['no_route', 6])
  await returned.promise
  assert.deepEqual(errors.map((error) => error.message.includes('secret')), [true, false])
})

test('the timeout is for the first reply', async (t) => {
  const gate = defer()
  const { peer } = await pair(t, {
    routes: {
      late: async function* () { yield 1; await gate.promise; yield 2 },
      never: async function* (request) { await new Promise((resolve) => request.signal.addEventListener('abort', resolve)) },
    },
  })
  const replies = peer.requestMany('late', undefined, { timeout: 300 })
  assert.equal((await replies.next()).value.json(), 1)
  await assert.rejects(peer.requestMany('never', undefined, { timeout: 310 }).next(), { code: 'timeout' })
  gate.resolve() // later than the first one's timeout
  assert.equal((await replies.next()).value.json(), 2)
  assert.ok((await replies.next()).done)
})

test('a plain request gets the first reply of a generator, which ends there', async (t) => {
  const ended = defer()
  const { peer } = await pair(t, {
    routes: {
      first: async function* () {
        try {
          yield 'one'
          yield 'two'
        } finally {
          ended.resolve()
        }
      },
      empty: async function* () {},
    },
  })
  assert.equal((await peer.request('first')).text(), 'one')
  await ended.promise
  assert.equal((await peer.request('empty')).hasBody, false)
})

test('a message that wants no answer lets the generator run to its end', async (t) => {
  const ended = defer()
  const { peer } = await pair(t, { routes: { note: async function* () { yield 1; yield 2; ended.resolve('ran') } } })
  await peer.send('note')
  assert.equal(await ended.promise, 'ran')
})

test('a slow consumer stops the generator', async (t) => {
  let made = 0
  const ended = defer()
  const { peer } = await pair(t, {
    server: { limits: { sendQueueBytes: 256 * 1024 } },
    routes: {
      flood: async function* () {
        try {
          for (; made < 2000; made++) yield Buffer.alloc(10_000, made)
        } finally {
          ended.resolve()
        }
      },
    },
  })
  const replies = peer.requestMany('flood')
  assert.equal((await replies.next()).value.body[0], 0)
  let count = 1
  let ahead = 0
  for await (const reply of replies) {
    assert.equal(reply.body[0], count++ & 0xff)
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate) // else it would make 64 in each turn
    ahead = Math.max(ahead, made - count)
  }
  assert.ok(ahead < 100, `${ahead} replies of 10,000 bytes were made and not read`)
  assert.equal(count, 2000)
  await ended.promise
})

test('a peer that is lost ends the iteration', async (t) => {
  const ended = defer()
  const { server, peer } = await pair(t, {
    routes: { tail: async function* (request) {
      try {
        yield 1
        await new Promise((resolve) => request.signal.addEventListener('abort', resolve))
      } finally {
        ended.resolve()
      }
    } },
  })
  const replies = peer.requestMany('tail')
  await replies.next()
  const next = assert.rejects(replies.next(), (error) => typeof error.code === 'string')
  await server.close(1)
  await next
  await ended.promise
})
