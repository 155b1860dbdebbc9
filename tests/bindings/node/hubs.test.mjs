// Hubs: their clients publish to each other without being connected, each message comes once and in order, and no hub that is not named
// passes anything on.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Identity, Node, topicSecret } from 'sealwire'
import { transports } from './support.mjs'

const once = (target, type) => new Promise((resolve) => target.once(type, resolve))
const texts = (messages) => messages.map((message) => message.text())
const numbered = (letter, count) => Array.from({ length: count }, (_, number) => `${letter}${number}`)

// The next `count` messages.
async function take(topic, count) {
  const messages = []
  if (count > 0) for await (const message of topic) if (messages.push(message) === count) break
  return messages
}

// Leaves it: what has come and nobody has taken.
async function rest(topic) {
  await topic.leave()
  const messages = []
  for await (const message of topic) messages.push(message.text())
  return messages
}

// Until a line of the log has those words.
function logged(words) {
  const lines = []
  let look = () => {}
  const log = (line) => {
    lines.push(line)
    look()
  }
  const found = new Promise((resolve) => {
    look = () => {
      const line = lines.find((one) => one.level === 'warning' && one.text.includes(words))
      if (line) resolve(line)
    }
  })
  return { log, found }
}

// Hubs that name each other, each connected with each; and client(...hubs, options) opens a node at those, which it names.
async function world(t, loopThreads, count = 1, options = {}) {
  const nodes = []
  t.after(() => Promise.all(nodes.map((node) => node.close(100))))
  const open = async (more) => {
    const node = await Node.open({ network: 'tests', loopThreads, ...more })
    nodes.push(node)
    return node
  }
  const keys = Array.from({ length: count }, () => Identity.generate())
  const hubs = []
  const tickets = new Map()
  for (const identity of keys) {
    const others = keys.filter((key) => key !== identity).map(({ id }) => id)
    const hub = await open({ identity, allow: 'anyone', hub: true, hubs: others, ...options })
    tickets.set(hub, (await hub.listen(transports.tcp())).ticket)
    for (const other of hubs) {
      const known = once(other, 'peer')
      await hub.connect(tickets.get(other))
      await known
    }
    hubs.push(hub)
  }
  const client = async (at, more) => {
    const node = await open({ hubs: at.map(({ id }) => id), ...more })
    for (const hub of at) await node.connect(tickets.get(hub))
    return node
  }
  return { hubs, client }
}

for (const threads of [1, 3]) {
  const fact = (name, run) => test(`${name}, ${threads === 1 ? 'one thread' : `${threads} threads`}`, run)

  fact('two clients of a hub publish to each other in order, each message once', async (t) => {
    const { hubs: [hub], client } = await world(t, threads)
    const [ada, bob] = [await client([hub]), await client([hub])]
    const mine = await ada.join('news')
    assert.deepEqual([mine.joined, mine.members, await mine.publish('nobody is there')], [1, [], 0])
    const arrived = once(mine, 'joined')
    const theirs = await bob.join('news')
    const member = await arrived
    assert.deepEqual([member.id, member.peer, member.publisher, member.hub], [hub.id, ada.peer(hub.id), false, true])
    assert.deepEqual(mine.members, [member])
    for (let number = 0; number < 200; number++) {
      assert.deepEqual([await mine.publish(`a${number}`), await theirs.publish(`b${number}`)], [1, 1])
    }
    for (const [node, topic, letter] of [[ada, mine, 'b'], [bob, theirs, 'a']]) {
      const messages = await take(topic, 200)
      assert.deepEqual(texts(messages), numbered(letter, 200))
      messages.forEach((one, number) => {
        assert.deepEqual([one.passedOn, one.publisher, one.number, one.dropped, one.lastValue, one.topic], [true, hub.id, number, 0, false, 'news'])
        assert.equal(one.peer, node.peer(hub.id))
      })
    }
    const gone = once(mine, 'left')
    assert.deepEqual(await rest(theirs), [])
    assert.equal(await gone, member)
    assert.equal(await mine.publish('gone'), 0)
    assert.deepEqual([mine.members, await rest(mine)], [[], []])
  })

  fact('a hub hears and publishes what it has joined itself', async (t) => {
    const { hubs: [hub], client } = await world(t, threads)
    const [ada, bob] = [await client([hub]), await client([hub])]
    const own = await hub.join('news')
    const [mine, theirs] = [await ada.join('news'), await bob.join('news')]
    assert.equal(await mine.publish('of ada'), 1)
    for (const [topic, publisher, passedOn] of [[own, ada.id, false], [theirs, hub.id, true]]) {
      const [one] = await take(topic, 1)
      assert.deepEqual([one.text(), one.publisher, one.passedOn], ['of ada', publisher, passedOn])
    }
    assert.equal(await own.publish('of the hub'), 2)
    for (const topic of [mine, theirs]) {
      const [one] = await take(topic, 1)
      assert.deepEqual([one.text(), one.publisher, one.passedOn], ['of the hub', hub.id, false])
    }
    assert.deepEqual(own.members.map((each) => [each.id, each.hub]).sort(), [[ada.id, false], [bob.id, false]].sort())
  })

  fact('with a secret the publisher is proved, and the hub cannot read', async (t) => {
    const { hubs: [hub], client } = await world(t, threads)
    const [ada, bob] = [await client([hub]), await client([hub])]
    const secret = topicSecret.generate()
    const without = await hub.join('board')
    const [mine, theirs] = [await ada.join('board', { secret }), await bob.join('board', { secret })]
    for (let number = 0; number < 20; number++) {
      assert.deepEqual([await mine.publish(`a${number}`), await theirs.publish(`b${number}`)], [1, 1])
    }
    for (const [topic, letter, publisher] of [[theirs, 'a', ada], [mine, 'b', bob]]) {
      const messages = await take(topic, 20)
      assert.deepEqual(texts(messages), numbered(letter, 20))
      for (const one of messages) assert.deepEqual([one.publisher, one.peer.id, one.passedOn], [publisher.id, hub.id, true])
    }
    assert.deepEqual([without.members, await without.publish('x'), await rest(without)], [[], 0, []])
    const within = await hub.join('board', { secret }) // who has it hears
    await mine.publish('for all')
    for (const [topic, passedOn] of [[within, false], [theirs, true]]) {
      const [one] = await take(topic, 1)
      assert.deepEqual([one.text(), one.publisher, one.passedOn], ['for all', ada.id, passedOn])
    }
    for (const topic of [mine, theirs, within]) assert.deepEqual(await rest(topic), [])
  })

  fact('hubs that name each other are one', async (t) => {
    const { hubs: [one, two], client } = await world(t, threads, 2)
    const [ada, bob] = [await client([one]), await client([two])]
    const [mine, theirs] = [await ada.join('news'), await bob.join('news')]
    for (let number = 0; number < 100; number++) {
      assert.deepEqual([await mine.publish(`a${number}`), await theirs.publish(`b${number}`)], [1, 1])
    }
    for (const [topic, letter, hub] of [[theirs, 'a', two], [mine, 'b', one]]) {
      const messages = await take(topic, 100)
      assert.deepEqual(texts(messages), numbered(letter, 100))
      for (const each of messages) assert.deepEqual([each.publisher, each.passedOn, each.dropped], [hub.id, true, 0])
    }
    assert.deepEqual([await rest(mine), await rest(theirs)], [[], []])
  })

  fact('a client at two hubs gets each message once', async (t) => {
    const { hubs: [one, two], client } = await world(t, threads, 2)
    const topics = []
    for (const at of [[one], [two], [one, two]]) topics.push(await (await client(at)).join('news'))
    for (let number = 0; number < 100; number++) {
      for (const [place, topic] of topics.entries()) assert.equal(await topic.publish(`${place} ${number}`), place === 2 ? 2 : 1)
    }
    for (const [place, topic] of topics.entries()) {
      const messages = await take(topic, 200)
      for (const other of [0, 1, 2].filter((each) => each !== place)) {
        assert.deepEqual(texts(messages).filter((text) => text.startsWith(`${other} `)), numbered(`${other} `, 100))
      }
      for (const each of messages) assert.deepEqual([each.passedOn, each.dropped], [true, 0])
    }
    for (const [place, topic] of topics.entries()) await topic.publish(`end ${place}`) // behind all that may have come twice
    for (const [place, topic] of topics.entries()) {
      const ends = numbered('end ', 3).filter((_, other) => other !== place)
      assert.deepEqual([texts(await take(topic, 2)).sort(), await rest(topic)], [ends, []])
    }
  })

  fact('a hub that is not named is refused, and nothing is passed on', async (t) => {
    const refused = logged('this hub may not join a topic there: the peer has to name it as a hub')
    const foreign = logged('it passes on what others have published, and is not named as a hub here')
    const { hubs: [hub], client } = await world(t, threads, 1, { log: refused.log })
    const ada = await client([hub], { hubs: undefined, allow: 'anyone', log: foreign.log })
    const bob = await client([hub])
    const [mine, theirs] = [await ada.join('news'), await bob.join('news')]
    const first = await refused.found
    assert.deepEqual([first.code, ada.id.startsWith(first.peer)], ['not_allowed', true])
    assert.deepEqual([await mine.publish('not over it'), mine.members], [0, []])
    assert.equal(await theirs.publish('not taken'), 1)
    const second = await foreign.found
    assert.deepEqual([second.code, hub.id.startsWith(second.peer)], ['not_allowed', true])
    await bob.connect((await ada.listen(transports.tcp())).ticket) // then nothing is in between
    const [again, back] = [await ada.join('again'), await bob.join('again')]
    assert.equal(await theirs.publish('theirs'), 2)
    assert.equal(await mine.publish('mine'), 1)
    for (const [topic, text, publisher] of [[theirs, 'mine', ada], [mine, 'theirs', bob]]) {
      const [one] = await take(topic, 1)
      assert.deepEqual([one.text(), one.publisher, one.passedOn], [text, publisher.id, false])
    }
    for (const topic of [mine, theirs, again, back]) assert.deepEqual(await rest(topic), [])
  })

  for (const count of [1, 2]) {
    for (const first of ['subscriber', 'publisher']) {
      fact(`once both have joined nothing is missed: ${count === 1 ? 'one hub' : 'two hubs'}, the ${first} first`, async (t) => {
        const { hubs, client } = await world(t, threads, count)
        const [ada, bob] = [await client([hubs[0]]), await client([hubs[count - 1]])]
        for (let number = 0; number < 50; number++) {
          const name = `round ${number}`
          let from
          if (first === 'publisher') from = await ada.join(name, { publishOnly: true })
          const to = await bob.join(name)
          if (first === 'subscriber') from = await ada.join(name, { publishOnly: true })
          assert.deepEqual([await from.publish('one'), await from.publish('two')], [1, 1])
          assert.deepEqual([texts(await take(to, 2)), await rest(to)], [['one', 'two'], []])
        }
      })
    }
  }
}

test('what a hub does not get is told as dropped', async (t) => {
  const { hubs: [hub], client } = await world(t, 1)
  const [ada, bob] = [await client([hub]), await client([hub])]
  const mine = await ada.join('news', { queueBytes: 65536 })
  await bob.join('news')
  let dropped
  mine.once('dropped', (event) => (dropped = event))
  while (!dropped) {
    mine.publishNow(Buffer.alloc(50_000))
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual([dropped.peer, dropped.hub, dropped.bytes], [ada.peer(hub.id), true, 50_000 * dropped.count])
})

test('hubs are ids, and a node is a hub or not', async (t) => {
  const { id } = Identity.generate()
  for (const hub of [1, 'yes', null]) await assert.rejects(Node.open({ hub }), { code: 'argument', detail: /hub is neither true nor false/ })
  await assert.rejects(Node.open({ hubs: ['nobody'] }), { code: 'key' })
  await assert.rejects(Node.open({ hubs: id }), { code: 'argument', detail: /hubs is a list of ids/ })
  const hub = await Node.open({ hub: true, hubs: new Set([id]) })
  t.after(() => hub.close(100))
  assert.notEqual(hub.id, id)
})
