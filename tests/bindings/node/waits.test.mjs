// Waiting for a message to a route; tests/bindings/python/test_waits.py has the same facts.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Node, Status } from 'sealwire'

import { eachTransport, pair } from './support.mjs'

for (const [name, url] of eachTransport) {
  test(`a message that is waited for goes to who waits and the next to the handler (${name})`, async (t) => {
    const handled = []
    const { server, peer } = await pair(t, { url: url(), routes: { news: (request) => void handled.push(request.text()) } })
    const waits = server.waitFor('news')
    await peer.send('news', 'first')
    assert.equal((await waits).text(), 'first')
    await peer.request('news', 'second')
    assert.deepEqual(handled, ['second'])
  })
}

test('the first whose filter accepts it gets it and else the handler does', async (t) => {
  const handled = []
  const { server, peer } = await pair(t, { routes: { n: (request) => void handled.push(request.json()) } })
  const even = server.waitFor('n', { filter: (request) => request.json() % 2 === 0 })
  const big = server.waitFor('n', { filter: (request) => request.json() > 5 })
  for (const number of [1, 8, 10, 12]) await peer.send('n', number, { receipt: true })
  assert.deepEqual([(await even).json(), (await big).json()], [8, 10])
  assert.deepEqual(handled, [1, 12])
})

test('a request that was waited for is answered by reply', async (t) => {
  const { server, peer } = await pair(t)
  for (const [answer, told] of [['here', 'here'], [new Status(77, 'no'), 77], [undefined, '']]) {
    const waits = server.waitFor('ask')
    const asked = peer.request('ask')
    const request = await waits
    assert.ok(request.expectsReply)
    request.reply(answer)
    if (told === 77) await assert.rejects(asked, { status: 77 })
    else assert.equal((await asked).text(), told)
    assert.throws(() => request.reply('again'), { code: 'state' })
  }
  const waits = server.waitFor('many')
  const replies = []
  const reading = (async () => {
    for await (const reply of peer.requestMany('many')) replies.push(reply.text())
  })()
  ;(await waits).reply((function* () { yield 'a'; yield 'b' })())
  await reading
  assert.deepEqual(replies, ['a', 'b'])
})

test('a request that was waited for is told that its requester has gone', async (t) => {
  const { server, peer } = await pair(t)
  const waits = server.waitFor('ask')
  const control = new AbortController()
  const asked = peer.request('ask', undefined, { signal: control.signal })
  const request = await waits
  const gone = new Promise((resolve) => request.signal.addEventListener('abort', resolve))
  control.abort()
  await assert.rejects(asked, { name: 'AbortError' })
  await gone
  request.reply('too late') // nobody's mistake
})

test('a route without a handler is no route for what no filter accepts and afterwards', async (t) => {
  const { server, peer } = await pair(t)
  const waits = server.waitFor('ask', { filter: (request) => request.text() === 'yes' })
  await assert.rejects(peer.request('ask', 'no'), { code: 'no_route' })
  const asked = peer.request('ask', 'yes')
  ;(await waits).reply()
  await asked
  await assert.rejects(peer.request('ask', 'yes'), { code: 'no_route' })
  server.route('', (request) => `default of ${request.route}`)
  const control = new AbortController()
  const never = server.waitFor('ask', { filter: () => false, signal: control.signal })
  assert.equal((await peer.request('ask')).text(), 'default of ask')
  control.abort()
  await assert.rejects(never, { name: 'AbortError' })
})

test('a handler that is registered while somebody waits stays, and one that is taken back leaves who waits', async (t) => {
  const { server, peer } = await pair(t)
  const mine = { filter: (request) => request.text() === 'mine' }
  let waits = server.waitFor('ask', mine)
  server.route('ask', () => 'handler')
  assert.equal((await peer.request('ask')).text(), 'handler')
  await peer.send('ask', 'mine')
  await waits
  assert.equal((await peer.request('ask', 'mine')).text(), 'handler')
  waits = server.waitFor('ask', mine)
  server.unroute('ask')
  await assert.rejects(peer.request('ask', 'other'), { code: 'no_route' })
  await peer.send('ask', 'mine')
  await waits
})

test('waiting stands before a limit, of the route and of the default', async (t) => {
  const { server, peer } = await pair(t)
  for (const route of ['limited', '']) {
    const name = route || 'any'
    server.route(route, () => 'handler', { maxHandlers: 1 })
    const waits = server.waitFor(name, { filter: (request) => request.text() === 'mine' })
    assert.equal((await peer.request(name, 'other')).text(), 'handler')
    await peer.send(name, 'mine', { receipt: true })
    assert.equal((await waits).text(), 'mine')
  }
})

test('a peer is waited for alone', async (t) => {
  const { server, client, listener, peer, back } = await pair(t, { server: { severalSessions: true }, client: { severalSessions: true } })
  const arrived = new Promise((resolve) => server.once('peer', resolve))
  const second = await client.connect(listener.ticket)
  const waits = (await arrived).waitFor('hello')
  const both = server.waitFor('hello')
  await peer.send('hello', 'first')
  assert.equal((await both).peer, back)
  await second.send('hello', 'second')
  assert.equal((await waits).text(), 'second')
})

test('waiting ends with its timeout, its filter, its peer and its node', async (t) => {
  const { server, peer, back } = await pair(t)
  await assert.rejects(server.waitFor('x', { timeout: 1 }), { code: 'timeout' })
  const failing = server.waitFor('x', { filter: () => { throw new RangeError('no') } })
  await peer.send('x')
  await assert.rejects(failing, RangeError)
  const ofPeer = assert.rejects(back.waitFor('x'), { name: 'ConnectionError' })
  const ofNode = assert.rejects(server.waitFor('x'), { code: 'handle' })
  await peer.close()
  await ofPeer
  await assert.rejects(back.waitFor('x'), { name: 'ConnectionError' })
  await server.close()
  await ofNode
  await assert.rejects(server.waitFor('x'), { code: 'handle' })
})

test('a conversation may be waited for', async (t) => {
  const { server, peer } = await pair(t)
  const waits = server.waitFor('talk')
  const talk = peer.converse('talk')
  const request = await waits
  const answering = (async () => {
    for await (const said of talk) if (said.asks) said.answer('an answer')
  })()
  assert.equal((await request.talk.ask('a question')).text(), 'an answer')
  request.reply()
  await answering
  assert.equal(request.peer.talks.size, 0)
})

test('what cannot be waited for is refused, and a handler answers by what it returns', async (t) => {
  const node = await Node.open()
  t.after(() => node.close())
  for (const [route, options] of [['', {}], ['x', { filter: 1 }], ['x'.repeat(256), {}], ['x', { timeout: -1 }]]) {
    await assert.rejects(node.waitFor(route, options), { code: 'argument' })
  }
  const { peer } = await pair(t, { routes: { ask: (request) => request.reply('twice') }, server: { onError: (_, error) => error.code } })
  assert.equal((await peer.request('ask')).text(), 'state')
})
