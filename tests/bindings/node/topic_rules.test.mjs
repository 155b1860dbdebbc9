// Topics: who may join and publish, by rules and by what a function of the application decides.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { defer, errorsOf, pair } from './support.mjs'

const once = (target, type) => new Promise((resolve) => target.once(type, resolve))

async function next(topic) {
  for await (const message of topic) return message.text()
}

test('who may join gets what is published, who may publish is heard, and others are told why not', async (t) => {
  const { server, client } = await pair(t)
  server.setTopicRules([
    { pattern: 'in/*', peer: client.id, rights: ['publish'] },
    { pattern: 'out/**', rights: ['join'] },
    { pattern: '**', verdict: 'deny' },
  ])
  const [inward, outward, shut] = [await server.join('in/a'), await server.join('out/a/b'), await server.join('in/a/b')]
  const heard = await client.join('in/a')
  assert.deepEqual([heard.joined, heard.refused, heard.refusal.code], [0, 1, 'not_allowed'])
  assert.equal(await heard.publish('heard'), 1)
  assert.equal(await next(inward), 'heard')
  assert.equal(await inward.publish('not for it'), 0)

  const there = once(outward, 'joined')
  const gets = await client.join('out/a/b')
  assert.deepEqual([gets.joined, gets.refused], [1, 0])
  await there
  assert.equal(await outward.publish('got'), 1)
  assert.equal(await next(gets), 'got')
  assert.equal(await gets.publish('not heard'), 0)

  const nothing = await client.join('in/a/b')
  assert.equal(nothing.refusal.code, 'not_allowed')
  assert.deepEqual([await nothing.publish('x'), await shut.publish('x'), nothing.members], [0, 0, []])

  const [refused, gone] = [once(gets, 'refused'), once(outward, 'left')]
  server.setTopicRules([])
  assert.equal((await refused).reason.code, 'not_allowed')
  assert.equal((await gone).id, client.id)
  server.setTopicRules(undefined)
  await gets.leave()
  assert.equal((await client.join('out/a/b')).joined, 1)
})

test('a function decides what rules ask, now or later', async (t) => {
  const { server, client, back } = await pair(t)
  const asked = []
  const later = defer()
  const answers = { all: () => true, one: () => ['join'], none: () => false, later: () => later.promise }
  server.setTopicRules([{ pattern: '*', verdict: 'ask' }], { onAsk: (ask) => {
    asked.push(ask)
    return answers[ask.topic]()
  } })
  const [all, one, none, last] = await Promise.all(Object.keys(answers).map((name) => server.join(name)))
  const joined = await client.join('all')
  assert.deepEqual([joined.joined, asked], [1, [{ peer: back, topic: 'all', rights: ['join', 'publish'] }]])
  while (!joined.members.some(({ publisher }) => !publisher)) await once(joined, 'joined')
  assert.deepEqual([await joined.publish('up'), await all.publish('down')], [1, 1])
  assert.deepEqual([await next(all), await next(joined)], ['up', 'down'])

  const reads = await client.join('one')
  assert.deepEqual([reads.joined, await one.publish('read'), await reads.publish('x')], [1, 1, 0])
  assert.equal(await next(reads), 'read')
  assert.equal((await client.join('none')).refusal.code, 'not_allowed')
  assert.equal(await none.publish('x'), 0)

  const waits = client.join('later')
  while (asked.length < 4) await new Promise(setImmediate)
  assert.equal(await last.publish('meanwhile'), 0)
  later.resolve(['join'])
  const waited = await waits
  assert.equal(waited.joined, 1)
  assert.equal(await next(waited), 'meanwhile')
})

test('what fails, or asks without a function, is denied', async (t) => {
  const { server, client } = await pair(t)
  const errors = errorsOf(server)
  const lines = []
  server.on('log', (line) => { if (/about/.test(line.text)) lines.push(line) })
  const results = [() => { throw new Error('of the decision') }, () => Promise.reject(new Error('of its promise')), () => ['all'],
    () => {}, () => 1, () => Promise.resolve('join')]
  server.setTopicRules([{ pattern: '*', verdict: 'ask' }], { onAsk: ({ topic }) => results[topic]() })
  const names = results.map((_, at) => String(at))
  await Promise.all([...names, 'x'].map((name) => server.join(name)))
  for (const name of names) assert.equal((await client.join(name)).refusal.code, 'not_allowed')
  assert.deepEqual(errors.map((error) => error.code ?? error.message), ['of the decision', 'of its promise', ...Array(4).fill('argument')])
  for (const error of errors.slice(3)) assert.match(error.message, /an array of rights/)
  assert.deepEqual(lines.map(({ level, code, peer }) => [level, code, peer]), names.map(() => ['error', 'handler_failed', client.id.slice(0, 8)]))
  assert.match(lines[1].text, new RegExp(`the decision about ${client.id} and the topic "1" failed, it is denied: Error: of its promise`))
  lines.length = 0
  const warned = once(process, 'warning')
  server.setTopicRules([{ pattern: '*', verdict: 'ask' }])
  await server.join('y')
  assert.equal((await client.join('x')).refusal.code, 'not_allowed')
  assert.equal((await client.join('y')).refusal.code, 'not_allowed')
  assert.match((await warned).message, new RegExp(`a rule asks about ${client.id} and the topic "x", but there is no onAsk`))
  assert.deepEqual(lines.map(({ level }) => level), ['warning'])
})

test('rules that are none are refused', async (t) => {
  const { server, client } = await pair(t)
  const none = [{ pattern: '' }, { pattern: 1 }, { pattern: 'x', rights: [] }, { pattern: 'x', rights: ['all'] },
    { pattern: 'x', verdict: 'perhaps' }, { pattern: 'x', more: 1 }]
  for (const rule of none) assert.throws(() => server.setTopicRules([rule]), { code: 'argument' })
  assert.throws(() => server.setTopicRules([{ pattern: 'x', peer: 'nobody' }]), { code: 'key' })
  assert.throws(() => server.setTopicRules([], { onAsk: 1 }), { code: 'argument' })
  await server.join('x')
  assert.equal((await client.join('x')).joined, 1) // none of these is in force
  await server.close()
  assert.throws(() => server.setTopicRules([]), { code: 'handle' })
})
