// Who may come in, and what is said to those who may not.
import assert from 'node:assert/strict'
import { createServer, connect } from 'node:net'
import { test } from 'node:test'

import { Identity, Node, Status, peerId } from 'sealwire'
import { defer, eachTransport, pair, transports } from './support.mjs'

async function open(t, options) {
  const node = await Node.open({ network: 'tests', ...options })
  t.after(() => node.close(100))
  return node
}

for (const [name, url] of eachTransport) {
  test(`${name}: a key that is not allowed is refused`, async (t) => {
    const server = await open(t, { allow: [Identity.generate().id] })
    const { ticket } = await server.listen(url())
    const client = await open(t)
    await assert.rejects(client.connect(ticket), (error) => {
      assert.equal(error.name, 'PermissionError')
      assert.equal(error.code, 'not_allowed')
      assert.equal(error.peer, server.id)
      assert.match(error.hint, /allow-list/)
      return true
    })
    server.setAllowed([client.id])
    assert.equal((await client.connect(ticket)).id, server.id)
  })

  test(`${name}: ask, answered at once and later`, async (t) => {
    const asked = []
    const decisions = [true, new Promise((resolve) => setImmediate(resolve, true)), { data: Buffer.from('welcome') }]
    const server = await open(t, {
      onAsk: (ask) => {
        asked.push([ask.id, Buffer.from(ask.data).toString()])
        return decisions.shift()
      },
    })
    const { ticket } = await server.listen(url())
    for (const [said, answer] of [['one', ''], ['two', ''], ['three', 'welcome']]) {
      const client = await open(t)
      const peer = await client.connect(ticket, { data: Buffer.from(said) })
      assert.equal(Buffer.from(peer.data).toString(), answer)
      assert.deepEqual(asked.pop(), [client.id, said])
    }
  })

  test(`${name}: ask, refused with and without a reason`, async (t) => {
    const decisions = [() => false, async () => new Status(77, 'come back later'), () => { throw new Status(78, 'no') }, async () => { throw new Error('the secret') }]
    const server = await open(t, { onAsk: () => decisions.shift()() })
    const errors = []
    server.on('error', (error) => errors.push(error.message))
    const { ticket } = await server.listen(url())
    const client = await open(t)
    await assert.rejects(client.connect(ticket), { code: 'not_allowed' })
    await assert.rejects(client.connect(ticket), { name: 'PermissionError', code: 'rejected', status: 77, text: 'come back later' })
    await assert.rejects(client.connect(ticket), { code: 'rejected', status: 78, text: 'no' })
    await assert.rejects(client.connect(ticket), { code: 'not_allowed' })
    assert.deepEqual(errors, ['the secret'])
  })
}

test('ask, answered by what is no answer: refused, and told', async (t) => {
  const decisions = [undefined, null, 1, 'yes', {}, { data: 'yes' }, []]
  const { length } = decisions
  const server = await open(t, { onAsk: () => decisions.shift() })
  const errors = []
  server.on('error', (error) => errors.push(error))
  const { ticket } = await server.listen('tcp://127.0.0.1:0')
  const client = await open(t)
  for (let i = 0; i < length; ++i) await assert.rejects(client.connect(ticket), { code: 'not_allowed' })
  assert.equal(errors.length, length)
  for (const error of errors) {
    assert.equal(error.code, 'argument')
    assert.match(error.message, /onAsk gives true, false/)
  }
})

test('no_answer: another network or another key, and the log says which', async (t) => {
  const lines = []
  const server = await open(t, { network: 'one', allow: 'anyone', log: (entry) => lines.push(entry) })
  const { ticket, address } = await server.listen('tcp://127.0.0.1:0')
  const stranger = await open(t, { network: 'two' })
  await assert.rejects(stranger.connect(ticket, { timeout: 500 }), (error) => {
    assert.ok(['no_answer', 'connect_timeout'].includes(error.code), error.code)
    return true
  })
  const wrong = await open(t, { network: 'one' })
  await assert.rejects(wrong.connect(`${address}#${Identity.generate().id}`, { timeout: 500 }))
  assert.ok(lines.length > 0)
  for (const line of lines) assert.equal(typeof line.text, 'string')
})

for (const form of ['an object such as console', 'a function']) {
  test(`lines of the log have what they are about as fields: ${form}`, async (t) => {
    const lines = []
    const take = (level) => (text, fields) => lines.push({ level, text, ...fields })
    const methods = { debug: take('debug'), info: take('info'), warn: take('warning'), error: take('error') }
    const log = form === 'a function' ? (entry) => lines.push(entry) : methods
    const { server, client, peer } = await pair(t, { server: { log }, routes: { fail: () => { throw new Error('of this side') } } })
    server.on('error', () => {})
    await peer.send('nobody', 'x')
    await assert.rejects(peer.request('fail'), { code: 'handler_failed' })
    const dropped = lines.find((line) => line.code === 'no_route')
    const failed = lines.find((line) => line.code === 'handler_failed')
    const short = client.id.slice(0, 8)
    assert.deepEqual([dropped.level, dropped.peer, dropped.route], ['warning', short, 'nobody'])
    assert.deepEqual([failed.level, failed.peer, failed.route], ['error', short, 'fail'])
    assert.ok(dropped.address.startsWith('tcp://127.0.0.1:') && failed.address === dropped.address)
    const listening = lines.find((line) => line.text.startsWith('listening'))
    assert.equal(listening.level, 'info')
    if (form !== 'a function') assert.deepEqual(Object.keys(listening), ['level', 'text', 'address'])
  })
}

test('what a function of the log throws is told as an error', async (t) => {
  const errors = []
  const node = await open(t, { log: () => { throw new Error('its own') } })
  node.on('error', (event) => errors.push(event))
  await node.listen('tcp://127.0.0.1:0')
  assert.ok(errors.length > 0)
})

test('refused: nothing listens there', async (t) => {
  const server = await open(t)
  const listener = await server.listen('tcp://127.0.0.1:0')
  const { ticket } = listener
  await listener.close()
  const client = await open(t)
  await assert.rejects(client.connect(ticket), (error) => {
    assert.equal(error.name, 'ConnectionError')
    assert.equal(error.code, 'refused')
    assert.match(error.message, /nothing is listening/)
    assert.ok(ticket.startsWith(error.endpoint))
    return true
  })
})

test('addresses, tickets and options that cannot be read', async (t) => {
  const node = await open(t)
  await assert.rejects(node.connect('nonsense'), { name: 'AddressError', code: 'address' })
  await assert.rejects(node.listen('tcp://127.0.0.1:70000'), { name: 'AddressError', code: 'address' })
  await assert.rejects(node.listen(5), { name: 'UsageError' })
  await assert.rejects(node.connect('tcp://127.0.0.1:1#' + node.id, { timeout: -1 }), { code: 'argument' })
  await assert.rejects(node.connect('tcp://127.0.0.1:1#' + node.id), { code: 'self' })
  await assert.rejects(Node.open({ network: 'swnet1nonsense' }), { name: 'KeyError' })
  await assert.rejects(Node.open({ allow: ['nonsense'] }), { name: 'KeyError', code: 'key' })
  await assert.rejects(Node.open({ identity: '/nowhere/me.key' }), { name: 'KeyError', code: 'key_file' })
  for (const log of ['loud', {}, { debug() {}, info() {}, warn() {} }, null, 1]) await assert.rejects(Node.open({ log }), { code: 'argument' })
  await assert.rejects(Node.open({ limits: { windowBytes: -1 } }), { code: 'argument' })
  assert.equal(peerId.toText(peerId.toBytes(node.id)), node.id)
})

test('two listeners cannot have one address', async (t) => {
  const node = await open(t)
  const { address } = await node.listen('tcp://127.0.0.1:0')
  await assert.rejects(node.listen(address), { name: 'AddressError', code: 'in_use', peer: undefined })
})

test('a listener is closed by its signal', async (t) => {
  const node = await open(t)
  const controller = new AbortController()
  const listener = await node.listen('tcp://127.0.0.1:0', { signal: controller.signal })
  controller.abort()
  await listener.closed
  const again = await node.listen(listener.address)
  assert.equal(again.ticket, listener.ticket)
  await assert.rejects(node.listen('tcp://127.0.0.1:0', { signal: controller.signal }), { name: 'AbortError' })
})

test('a handshake beyond the limit of the listener is met by silence', async (t) => {
  const asked = defer()
  const decision = defer()
  const server = await open(t, { onAsk: () => (asked.resolve(), decision.promise) })
  const { ticket } = await server.listen(transports.tcp(), { maxHandshakesPerAddress: 1, maxHandshakes: Infinity })
  const client = await open(t, { severalSessions: true })
  const first = client.connect(ticket)
  await asked.promise
  await assert.rejects(client.connect(ticket, { timeout: 300 }), { code: 'no_answer' })
  decision.resolve(true)
  assert.equal((await first).id, server.id)
  await assert.rejects(server.listen(transports.tcp(), { maxHandshakes: -1 }), { code: 'argument' })
  await assert.rejects(server.listen(transports.tcp(), { handshakeSharePercent: 101 }), { code: 'argument' })
})

test('words for the other side that are too long are an error, not cut', async (t) => {
  const server = await open(t, { onAsk: ({ data }) => (data.length ? true : new Status(70, 'w'.repeat(1025))) })
  const failed = new Promise((resolve) => server.once('error', resolve))
  const { ticket } = await server.listen(transports.tcp())
  const client = await open(t)
  await assert.rejects(client.connect(ticket), { code: 'not_allowed' })
  assert.equal((await failed).code, 'argument')
  const peer = await client.connect(ticket, { data: Buffer.from('please') })
  await assert.rejects(async () => peer.close({ code: 64, text: 'w'.repeat(1025) }), { code: 'argument' })
})

test('padding fills what is sent', async (t) => {
  let carried = 0
  const server = await open(t, { allow: 'anyone' })
  server.route('x', () => undefined)
  const { ticket } = await server.listen('tcp://127.0.0.1:0')
  const [, port, key] = /:(\d+)#(.*)$/.exec(ticket)
  const relay = createServer((from) => {
    const to = connect(Number(port), '127.0.0.1')
    from.on('data', (data) => { carried += data.length })
    from.pipe(to).pipe(from)
    for (const socket of [from, to]) socket.on('error', () => from.destroy())
  })
  await new Promise((resolve) => relay.listen(0, '127.0.0.1', resolve))
  t.after(() => relay.close())
  const sent = async (paddingBytes) => {
    const client = await open(t, { limits: { paddingBytes } })
    const peer = await client.connect(`tcp://127.0.0.1:${relay.address().port}#${key}`)
    const before = carried
    for (let i = 0; i < 20; i++) await peer.request('x', 'short')
    return carried - before
  }
  assert.ok(await sent(0) < 20 * 200)
  assert.ok(await sent(4096) > 20 * 4096)
  await assert.rejects(Node.open({ limits: { paddingBytes: 100 } }), { code: 'argument' })
})

test('an option of a name that is none is refused, and so is a body that JSON cannot say', async (t) => {
  const { server, peer } = await pair(t)
  const wrong = (detail) => ({ name: 'UsageError', code: 'argument', detail })
  await assert.rejects(Node.open({ alow: [] }), wrong('there is no option alow of node'))
  await assert.rejects(Node.open({ limits: { padingBytes: 256 } }), wrong(/padingBytes of limits/))
  await assert.rejects(server.listen('tcp://127.0.0.1:0', { port: 1 }), wrong(/port of listen/))
  await assert.rejects(server.connect('x', { timeot: 1 }), wrong(/timeot of connect/))
  assert.throws(() => server.route('x', () => {}, { handlers: 1 }), wrong(/handlers of route/))
  assert.throws(() => server.expose('x', {}, { request: true }), wrong(/request of expose/))
  await assert.rejects(peer.send('x', 'y', { reciept: true }), wrong(/reciept of send/))
  await assert.rejects(peer.request('x', 'y', { timeot: 2 }), wrong(/timeot of request/))
  assert.throws(() => peer.requestMany('x', 'y', { foo: 1 }), wrong(/foo of request/))
  await assert.rejects(peer.waitFor('x', { foo: 1 }), wrong(/foo of wait/))
  await assert.rejects(peer.close({ foo: 1 }), wrong(/foo of close/))
  const cycle = {}
  cycle.self = cycle
  for (const body of [cycle, { big: 1n }]) await assert.rejects(peer.request('x', body), wrong(/JSON/))
})

test('more pings in a second than are answered is too many, and the session goes on', async (t) => {
  const { peer } = await pair(t, { routes: { echo: (request) => request.text() } })
  const pings = await Promise.allSettled(Array.from({ length: 11 }, () => peer.ping()))
  assert.ok(pings.slice(0, 10).every((ping) => ping.status === 'fulfilled'))
  assert.deepEqual([pings[10].reason.name, pings[10].reason.code], ['RequestError', 'too_many'])
  assert.equal((await peer.request('echo', 'still here')).text(), 'still here')
})
