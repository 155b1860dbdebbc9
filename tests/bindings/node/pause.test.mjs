// Delivery that is paused: of a peer, of a route.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { defer, pair } from './support.mjs'

test('messages of a paused peer wait while its answers come', async (t) => {
  const seen = []
  const come = defer()
  const note = (message) => {
    seen.push(message.text())
    come.resolve()
  }
  const { client, peer, back } = await pair(t, { routes: { note } })
  client.route('back', (request) => request.body)
  back.pause()
  for (const text of 'abcd') await peer.send('note', text)
  await peer.ping()
  assert.equal((await back.request('back', 'other way')).text(), 'other way')
  assert.deepEqual(seen, [])
  back.resume(1)
  await come.promise
  await peer.ping()
  await peer.ping()
  assert.deepEqual(seen, ['a'])
  back.resume()
  await peer.send('note', 'e', { receipt: true })
  assert.deepEqual(seen, [...'abcde'])
})

test('messages to a paused route wait while others pass', async (t) => {
  const seen = []
  const note = (message) => void seen.push(message.text())
  const { server, peer } = await pair(t, { routes: { slow: note, fast: note } })
  server.pause('slow')
  const waiting = peer.request('slow', 'first')
  await peer.request('fast', 'second')
  assert.deepEqual(seen, ['second'])
  server.resume('slow')
  await waiting
  assert.deepEqual(seen, ['second', 'first'])
  assert.throws(() => server.pause("nobody's"), { code: 'state' })
})

test('a request that waits runs into its deadline', async (t) => {
  const seen = []
  const { server, peer } = await pair(t, { routes: { slow: (message) => void seen.push(message.text()) } })
  server.pause('slow')
  await assert.rejects(peer.request('slow', 'late', { timeout: 1 }), { code: 'timeout' })
  server.resume('slow')
  await peer.request('slow', 'good')
  assert.deepEqual(seen, ['good'])
})

test('a number of messages is a whole number', async (t) => {
  const { server, peer } = await pair(t, { routes: { x: () => {} } })
  assert.throws(() => peer.resume(-1), { code: 'argument' })
  assert.throws(() => server.resume('x', 1.5), { code: 'argument' })
})
