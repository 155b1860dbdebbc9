// Topics: who joins gets what is published, once and in order, or is told how much it was too slow for.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { encode, network, Node, TopicMessage, topicSecret } from 'sealwire'
import { defer, eachTransport, nextLine, pair, program } from './support.mjs'

// The next `count` messages.
async function take(topic, count) {
  const messages = []
  if (count > 0) for await (const message of topic) if (messages.push(message) === count) break
  return messages
}

const texts = (messages) => messages.map((message) => message.text())
const once = (target, type) => new Promise((resolve) => target.once(type, resolve))

// A topic at both ends, once each knows of the other.
async function joined(t, theirs, mine, nodes) {
  const both = nodes ?? await pair(t)
  const from = await both.server.join('news', mine)
  const arrived = once(from, 'joined')
  const to = await both.client.join('news', theirs)
  await arrived
  return { ...both, from, to }
}

test('what is published arrives, with its topic, its publisher and its number', async (t) => {
  const { server, client, peer, back } = await pair(t)
  const mine = await server.join('news')
  assert.deepEqual([mine.name, String(mine), mine.joined, mine.refused, mine.refusal, mine.members], ['news', 'news', 1, 0, undefined, []])
  assert.equal(await mine.publish('nobody is there'), 0)
  const arrived = once(mine, 'joined')
  const theirs = await client.join('news')
  const member = await arrived
  assert.deepEqual([member.id, member.peer, member.publisher], [client.id, back, false])
  assert.deepEqual(mine.members.map(({ peer: one }) => one), [back])
  assert.deepEqual(theirs.members.map(({ id, peer: one }) => [id, one]), [[server.id, peer]])

  for (const value of ['one', { two: 2 }, Buffer.from('three'), encode([4], 'json'), undefined]) assert.equal(await mine.publish(value), 1)
  assert.equal(theirs.publishNow('back'), 1)
  const messages = await take(theirs, 5)
  assert.deepEqual(texts(messages), ['one', '{"two":2}', 'three', '[4]', ''])
  assert.deepEqual(messages.map(({ type }) => type), ['utf8', 'json', 'bytes', 'json', 'bytes'])
  assert.deepEqual(messages[1].json(), { two: 2 })
  messages.forEach((message, i) => {
    assert.deepEqual([message.number, message.dropped, message.lastValue, message.topic, message.peer], [i, 0, false, 'news', peer])
    assert.equal(message.publisher, server.id)
  })
  assert.deepEqual(texts(await take(mine, 1)), ['back'])

  const gone = once(mine, 'left')
  const closed = once(theirs, 'close')
  await Promise.all([theirs.leave(), closed])
  assert.equal((await gone).peer, back)
  assert.deepEqual(mine.members, [])
  assert.equal(await mine.publish('gone'), 0)
  await assert.rejects(theirs.publish('x'), { code: 'closed' })
  assert.throws(() => theirs.publishNow('x'), { code: 'closed' })
  await theirs.close()
  for await (const message of theirs) assert.fail(message)
})

test('each join of a name gets each message', async (t) => {
  const { client, from, to: first } = await joined(t)
  const second = await client.join('news')
  await from.publish('both')
  assert.deepEqual(texts(await take(first, 1)), ['both'])
  assert.deepEqual(texts(await take(second, 1)), ['both'])
  await first.leave()
  assert.equal(await from.publish('second alone'), 1)
  assert.deepEqual(texts(await take(second, 1)), ['second alone'])
  const third = await client.join('news')
  await client.leave('news')
  await Promise.all([second.closed, third.closed])
  await assert.rejects(client.leave('news'), { code: 'state' })
})

test('to one member, to those of a filter, and not to who only publishes', async (t) => {
  const { server, client, peer, from, to } = await joined(t, {}, { publishOnly: true })
  assert.equal(to.members[0].publisher, true)
  assert.equal(await to.publish('not for publishers'), 0)
  const [member] = from.members
  assert.equal(await from.publish('to one', { to: member.peer }), 1)
  const asked = []
  assert.equal(await from.publish('to none', { filter: (one) => asked.push(one) < 0 }), 0)
  assert.equal(await from.publish('filtered', { filter: (one) => one.id === client.id }), 1)
  assert.deepEqual(asked.map(({ id, peer: one, publisher }) => [id, one, publisher]), [[client.id, member.peer, false]])
  const messages = await take(to, 2)
  assert.deepEqual(texts(messages), ['to one', 'filtered'])
  assert.deepEqual(messages.map(({ number, dropped }) => [number, dropped]), [[0, 0], [1, 0]])
  await assert.rejects(from.publish('x', { filter: () => { throw new RangeError('no') } }), RangeError)
  for (const filter of [async () => true, () => Promise.reject(new Error('of nobody'))]) {
    await assert.rejects(from.publish('x', { filter }), { code: 'argument', detail: /gave a promise/ })
  }
  assert.deepEqual([await from.publish('x', { filter: () => 1 }), await from.publish('x', { filter: () => '' })], [1, 0])
  assert.throws(() => from[Symbol.asyncIterator](), { code: 'state', detail: /publishOnly/ })
  await assert.rejects(from.publish('x', { to: peer }), { code: 'argument' })
  await assert.rejects(from.publish('x', { filter: 1 }), { code: 'argument' })
  await assert.rejects(from.publish('x', { unknown: 1 }), { code: 'argument' })
  await assert.rejects(from.publish(() => {}), { code: 'argument' })
  assert.equal(server.stats().connected, 1)
})

test('the last value comes first, and says so', async (t) => {
  const { server, client } = await pair(t)
  const from = await server.join('state', { keepLast: true })
  await from.publish('old')
  await from.publish('kept')
  const to = await client.join('state', { wantLast: true })
  const [kept] = await take(to, 1)
  assert.deepEqual([kept.text(), kept.lastValue], ['kept', true])
  await from.publish('new')
  const [next] = await take(to, 1)
  assert.deepEqual([next.text(), next.lastValue], ['new', false])
})

const SLOW = 3000
const numbered = (number) => {
  const body = Buffer.alloc(1000, 'b')
  body.writeUInt32LE(number)
  return body
}
const numberIn = (message) => Buffer.from(message.body).readUInt32LE()

test('a publisher that blocks waits, and nothing is lost', async (t) => {
  const { from, to } = await joined(t, { creditBytes: 131_072 }, { slow: 'block', queueBytes: 262_144 })
  from.on('dropped', assert.fail)
  const publishing = Promise.all(Array.from({ length: SLOW }, (_, i) => from.publish(numbered(i))))
  assert.throws(() => from.publishNow('too early'), { code: 'again', name: 'QueueFullError' })
  const controller = new AbortController()
  const aborted = from.publish('aborted', { signal: controller.signal })
  controller.abort()
  await assert.rejects(aborted, { name: 'AbortError' })
  for (const [i, message] of (await take(to, SLOW)).entries()) {
    assert.deepEqual([numberIn(message), message.number, message.dropped], [i, i, 0])
  }
  assert.ok((await publishing).every((members) => members === 1))
  assert.equal(await from.publish('more'), 1)
  assert.deepEqual(texts(await take(to, 1)), ['more'])
})

test('there is room again when members have read', async (t) => {
  const { from, to } = await joined(t, { creditBytes: 131_072 }, { slow: 'block', queueBytes: 262_144 })
  let sent = 0
  assert.throws(() => { for (;; sent++) from.publishNow(numbered(sent)) }, { code: 'again' })
  const writable = once(from, 'writable')
  await take(to, sent)
  await writable
  assert.equal(from.publishNow('x'), 1)
})

for (const slow of ['dropOldest', 'dropNewest']) {
  test(`${slow}: what did not come is counted at both ends`, async (t) => {
    const { from, to } = await joined(t, { creditBytes: 131_072 }, { slow, queueBytes: 262_144 })
    let told = 0
    let bytes = 0
    from.on('dropped', (dropped) => {
      assert.equal(dropped.peer, from.members[0]?.peer ?? dropped.peer)
      told += dropped.count
      bytes += dropped.bytes
    })
    let sent = 0
    while (sent < SLOW) assert.equal(from.publishNow(numbered(sent++)), 1)
    let next = 0
    let gaps = 0
    let came = 0
    const look = (message) => {
      gaps += message.dropped
      came++
      assert.equal(message.number, next + message.dropped)
      assert.equal(numberIn(message), message.number)
      next = message.number + 1
    }
    // The last one comes, or with dropNewest one that is published when there is room again.
    const last = defer()
    to.on('message', (message) => {
      look(message)
      if (next === sent) last.resolve()
    })
    let over = false
    void last.promise.then(() => (over = true))
    while (slow === 'dropNewest' && !over) {
      from.publishNow(numbered(sent++))
      await new Promise(setImmediate)
    }
    await last.promise
    assert.ok(gaps > 0 && came + gaps === sent, `${came} of ${sent} came, ${gaps} were dropped`)
    const left = once(from, 'left')
    await to.leave()
    await left
    assert.deepEqual([told, bytes], [gaps, gaps * 1000])
  })
}

test('a member that is too slow is cut off, and both are told why', async (t) => {
  const { peer, back, from, to } = await joined(t, { creditBytes: 131_072 }, { slow: 'disconnect', queueBytes: 262_144 })
  const left = once(from, 'left')
  for (let sent = 0; sent < SLOW; sent++) from.publishNow(numbered(sent))
  for (const one of [peer, back]) {
    const reason = await one.closed
    assert.deepEqual([reason.code, reason.name], ['slow', 'ConnectionError'])
  }
  assert.equal((await left).peer, back)
  await to.leave()
})

test('a message of 12 MiB, and what is behind it', async (t) => {
  const { from, to } = await joined(t)
  const large = Buffer.alloc(12 * 2 ** 20, 'l')
  await from.publish(large)
  await from.publish('small')
  const [first, second] = await take(to, 2)
  assert.ok(large.equals(first.body))
  assert.equal(second.text(), 'small')
  await assert.rejects(from.publish(Buffer.alloc(17 * 2 ** 20)), { code: 'too_big' })
})

test('a peer that connects later gets the join', async (t) => {
  const server = await Node.open({ network: 'tests', allow: 'anyone' })
  const client = await Node.open({ network: 'tests' })
  t.after(() => Promise.all([server.close(100), client.close(100)]))
  const { ticket } = await server.listen('tcp://127.0.0.1:0')
  const from = await server.join('later')
  const to = await client.join('later')
  assert.deepEqual([from.joined, to.joined], [0, 0])
  const arrived = Promise.all([once(from, 'joined'), once(to, 'joined')])
  await client.connect(ticket)
  assert.deepEqual((await arrived).map(({ id }) => id), [client.id, server.id])
  assert.equal(await from.publish('welcome'), 1)
  assert.deepEqual(texts(await take(to, 1)), ['welcome'])
})

test('aborting leaves again, and ends the loop with the reason', async (t) => {
  const { server, client, from } = await joined(t)
  await assert.rejects(client.join('news', { signal: AbortSignal.abort() }), { name: 'AbortError' })
  const early = new AbortController()
  const joining = client.join('other', { signal: early.signal })
  early.abort()
  await assert.rejects(joining, { name: 'AbortError' })

  const other = await server.join('third')
  const arrived = once(other, 'joined')
  const controller = new AbortController()
  const to = await client.join('third', { signal: controller.signal })
  await arrived
  const left = once(other, 'left')
  await other.publish('read')
  const seen = []
  await assert.rejects(async () => {
    for await (const message of to) {
      seen.push(message.text())
      setImmediate(() => controller.abort())
    }
  }, { name: 'AbortError' })
  assert.deepEqual(seen, ['read'])
  await Promise.all([to.closed, left])
  assert.equal(await from.publish('still there'), 1)
})

test('leaving a loop does not leave the topic; loops share the messages', async (t) => {
  const { from, to } = await joined(t)
  for (let i = 0; i < 6; i++) await from.publish(i)
  assert.deepEqual(texts(await take(to, 2)), ['0', '1'])
  const [a, b] = await Promise.all([take(to, 2), take(to, 2)])
  assert.deepEqual(texts([...a, ...b]).sort(), ['2', '3', '4', '5'])
  const loop = to[Symbol.asyncIterator]()
  const waiting = loop.next()
  await loop.return()
  assert.deepEqual(await waiting, { value: undefined, done: true })
  assert.equal((await loop.next()).done, true)
  await from.publish('last')
  assert.deepEqual(texts(await take(to, 1)), ['last'])
})

test('listeners get what waited, then what comes; without them it waits', async (t) => {
  const { from, to } = await joined(t)
  for (let i = 0; i < 1000; i++) await from.publish(i)
  assert.deepEqual(texts(await take(to, 1)), ['0'])
  const seen = []
  const all = defer()
  const listener = (message) => {
    if (seen.push(message.json()) === 1999) all.resolve()
  }
  to.on('message', listener)
  for (let i = 1000; i < 2000; i++) await from.publish(i)
  await all.promise
  assert.deepEqual(seen, Array.from({ length: 1999 }, (_, i) => i + 1))
  to.off('message', listener)
  await from.publish('a loop again')
  assert.deepEqual(texts(await take(to, 1)), ['a loop again'])
  const next = once(to, 'message')
  await from.publish('once')
  await from.publish('then')
  assert.equal((await next).text(), 'once')
  assert.deepEqual(texts(await take(to, 1)), ['then'])
})

test('a node that closes ends loops; what had come is read, and holds nothing up', async (t) => {
  const { server, client, from, to } = await joined(t)
  for (let i = 0; i < 100; i++) await from.publish(i)
  assert.deepEqual(texts(await take(to, 1)), ['0']) // the rest came with it, or comes
  const waiting = (async () => {
    for await (const message of from) assert.fail(message)
  })()
  const left = once(from, 'left')
  const report = await client.close(5000)
  assert.deepEqual([report.deadlinePassed, report.eventsHeld], [false, 0])
  await to.closed
  let next = 1
  for await (const message of to) assert.equal(message.json(), next++)
  assert.equal((await left).id, client.id)
  await server.close()
  await waiting
  await assert.rejects(client.join('news'), { code: 'handle' })
  await assert.rejects(from.publish('x'), { code: 'handle' })
})

test('what was published is delivered when its publisher closes', async (t) => {
  const { server, from, to } = await joined(t)
  for (let i = 0; i < 1000; i++) await from.publish(i)
  const reading = take(to, 1000)
  await server.close(10_000)
  assert.deepEqual((await reading).map((message) => message.json()), Array.from({ length: 1000 }, (_, i) => i))
})

test('options and names that are none are refused', async (t) => {
  const node = await Node.open()
  t.after(() => node.close(100))
  for (const name of ['', 'n'.repeat(256), 'a\0b', 1]) await assert.rejects(node.join(name), { code: 'argument' })
  for (const options of [{ slow: 'never' }, { creditBytes: 1000 }, { queueBytes: -1 }, { queue: 1 }, { secret: 1 },
    { secret: null }, { secret: false }]) {
    await assert.rejects(node.join('t', options), { code: 'argument' })
  }
  const topic = await node.join('n'.repeat(255))
  if (Symbol.asyncDispose) await topic[Symbol.asyncDispose]()
  else await topic.close()
  await topic.closed
  assert.throws(() => topic.publishNow('x'), { code: 'closed' })
  await assert.rejects(node.leave('not joined'), { code: 'state' })
})

test('a loop holds the process, an idle join does not', { timeout: 30_000 }, async () => {
  const idle = program(`import { Node } from 'sealwire'
    const node = await Node.open()
    const topic = await node.join('idle')
    console.log(topic.name)`)
  assert.equal(await nextLine(idle.lines), 'idle')
  assert.equal((await idle.exit).code, 0)
  const held = program(`import { Node } from 'sealwire'
    const node = await Node.open()
    const topic = await node.join('held')
    process.stdin.once('data', () => { process.stdin.destroy(); topic.leave() })
    process.stdin.unref()
    console.log('reading')
    for await (const message of topic) console.log('no', message)
    console.log('over')`)
  assert.equal(await nextLine(held.lines), 'reading')
  held.child.stdin.write('leave\n')
  assert.equal(await nextLine(held.lines), 'over')
  assert.equal((await held.exit).code, 0)
})

test('a peer may join as many topics as the node says', async (t) => {
  const { client } = await pair(t, { server: { limits: { topicsPerPeer: 2 } } })
  const codes = []
  for (const name of ['one', 'two', 'three']) codes.push((await client.join(name)).refusal?.code)
  assert.deepEqual(codes, [undefined, undefined, 'limit'])
  await assert.rejects(Node.open({ limits: { topicsPerPeer: 1024 * 1024 + 1 } }), { code: 'argument' })
  for (const name of ['topicsPerPeer', 'exchangeSlots', 'paddingBytes', 'heartbeats', 'applicationDataBytes']) {
    await assert.rejects(Node.open({ limits: { [name]: 2 ** 32 } }), { code: 'argument' })
  }
  await assert.rejects(Node.open({ loopThreads: 2 ** 32 + 1 }), { code: 'argument' })
})

// ---- With a secret ----

const secret = topicSecret.generate()
const damaged = secret.slice(0, 20) + (secret[20] === 'a' ? 'b' : 'a') + secret.slice(21)

for (const [transport, url] of eachTransport) {
  test(`${transport}: members with the secret read, and others get nothing`, async (t) => {
    const { server, client, peer, listener } = await pair(t, { url: url(), server: { allow: 'anyone' } })
    const stranger = await Node.open({ network: 'tests' })
    t.after(() => stranger.close(100))
    await stranger.connect(listener.ticket)
    const from = await server.join('news', { secret })
    const plain = await stranger.join('news')
    const wrong = await stranger.join('news', { secret: topicSecret.generate() })
    assert.deepEqual([plain.joined, wrong.joined], [1, 1])
    const strangers = [] // what they hear
    plain.on('message', (message) => strangers.push(message.text()))
    wrong.on('message', (message) => strangers.push(message.text()))
    assert.equal(await from.publish('nobody has the secret'), 0)
    const arrived = once(from, 'joined')
    const to = await client.join('news', { secret })
    assert.equal((await arrived).id, client.id)
    assert.deepEqual([from, to, plain, wrong].map(({ members }) => members.map(({ id }) => id)), [[client.id], [server.id], [], []])
    const large = Buffer.alloc(50_000, 'l') // in a buffer of its own
    for (const value of ['one', { two: 2 }, large, undefined]) assert.equal(await from.publish(value), 1)
    assert.deepEqual([await plain.publish('x'), await wrong.publish('x')], [0, 0])
    const messages = await take(to, 4)
    assert.deepEqual(texts(messages), ['one', '{"two":2}', large.toString(), ''])
    assert.deepEqual(messages.map(({ type }) => type), ['utf8', 'json', 'bytes', 'bytes'])
    messages.forEach((message, i) => {
      assert.deepEqual([message.number, message.dropped, message.lastValue, message.topic, message.peer], [i, 0, false, 'news', peer])
      assert.equal(message.publisher, server.id)
    })
    await to.publish('back')
    const [back] = await take(from, 1)
    assert.deepEqual([back.text(), back.publisher], ['back', client.id])
    // What is published without a secret behind all that is the first that comes.
    const beside = await server.join('news')
    const heard = once(plain, 'message')
    assert.equal(await beside.publish('without'), 1)
    const first = await heard
    assert.deepEqual([first.text(), first.number, first.publisher], ['without', 0, server.id])
    assert.deepEqual(strangers, ['without'])
    const gone = once(from, 'left')
    await to.leave()
    assert.equal((await gone).id, client.id)
    assert.deepEqual(from.members, [])
  })
}

test('who signed a message need not be the peer that has sent it', () => {
  const message = (...signer) => new TopicMessage('news', { id: 'peer' }, undefined, 0, 0, 0, 0, 0, false, false, 0, ...signer)
  assert.deepEqual([message('signer').publisher, message().publisher], ['signer', 'peer'])
})

test('the last value comes with the secret, also to one who joins anew', async (t) => {
  const { server, client } = await pair(t)
  const from = await server.join('state', { keepLast: true, secret })
  await from.publish('old')
  await from.publish({ kept: true })
  for (let i = 0; i < 2; i++) {
    const to = await client.join('state', { wantLast: true, secret })
    const [kept] = await take(to, 1)
    assert.deepEqual([kept.json(), kept.type, kept.lastValue, kept.publisher], [{ kept: true }, 'json', true, server.id])
    await to.leave()
  }
  const plain = await client.join('state', { wantLast: true })
  plain.on('message', assert.fail)
  const to = await client.join('state', { wantLast: true, secret })
  await from.publish('new')
  const [, next] = await take(to, 2)
  assert.deepEqual([next.text(), next.lastValue], ['new', false])
})

test('leaving a name leaves its topics with and without a secret', async (t) => {
  const { client, from, to } = await joined(t, { secret }, { secret })
  const plain = await client.join('news')
  const another = await client.join('news', { secret: topicSecret.generate() })
  const other = await client.join('other', { secret })
  let open = true
  void other.closed.then(() => (open = false))
  const left = once(from, 'left')
  await client.leave('news')
  await Promise.all([to.closed, plain.closed, another.closed, left])
  assert.ok(open)
  await assert.rejects(client.leave('news'), { code: 'state' })
  await other.leave()
})

test('a damaged secret is refused', async (t) => {
  const node = await Node.open()
  t.after(() => node.close(100))
  for (const [wrong, detail] of [
    [damaged, 'the topic secret has a typing error: its checksum does not fit'],
    [secret.slice(0, -1), 'a topic secret has 58 characters after swtopic1, this one 57'],
    [network.generate(), 'a topic secret starts with swtopic1'],
    ['', 'a topic secret starts with swtopic1'],
  ]) await assert.rejects(node.join('news', { secret: wrong }), { name: 'KeyError', code: 'key', detail })
  await assert.rejects(node.leave('news'), { code: 'state' })
})

test('a passphrase is the secret of one topic', async (t) => {
  const [one, same, other] = await Promise.all(['news', 'news', 'other'].map((topic) => topicSecret.fromPassphrase('correct horse', topic)))
  assert.match(one, /^swtopic1[a-z2-7]{58}$/)
  assert.match(secret, /^swtopic1[a-z2-7]{58}$/)
  assert.deepEqual([one === same, one === other, secret === topicSecret.generate()], [true, false, false])
  const detail = 'the passphrase of a topic has at least 12 bytes, this one 5'
  await assert.rejects(topicSecret.fromPassphrase('short', 'news'), { code: 'key', detail })
  for (const topic of ['', 'a\0b']) await assert.rejects(topicSecret.fromPassphrase('correct horse', topic), { code: 'argument' })
  assert.throws(() => topicSecret.fromPassphrase(1, 'news'), { code: 'argument' })
  assert.throws(() => topicSecret.fromPassphrase('correct horse'), { code: 'argument' })
  const { from, to } = await joined(t, { secret: one }, { secret: one })
  await from.publish('by passphrase')
  assert.deepEqual(texts(await take(to, 1)), ['by passphrase'])
})
