// The channel shs1: peer.stream as a Duplex, its ends, who is let in, and what such a peer does not offer.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'

import { IncompleteReadError, Node, PeerStream, Status } from 'sealwire'

import { eachTransport, transports } from './support.mjs'

const shs = { channel: 'shs1', shsNetwork: Uint8Array.from({ length: 32 }, (_, i) => i) }

// A server, a client, and the peer at either side; `t` closes them.
async function connected(t, { url = transports.tcp(), server: options = {} } = {}) {
  const server = await Node.open({ allow: 'anyone', ...options })
  const client = await Node.open()
  t.after(() => Promise.all([client.close(100), server.close(100)]))
  const arrived = new Promise((resolve) => server.once('peer', resolve))
  const listener = await server.listen(url, shs)
  const near = await client.connect(listener.ticket, shs)
  return { server, client, listener, near, far: await arrived }
}

async function all(stream) {
  const pieces = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}

for (const [name, url] of eachTransport) {
  test(`bytes go both ways over ${name}, and each direction ends by itself`, async (t) => {
    const { server, client, near, far } = await connected(t, { url: url() })
    assert.equal(near.channel, 'shs1')
    assert.equal(near.id, server.id)
    assert.equal(far.id, client.id)
    assert.ok(near.connected && far.connected && near.stream instanceof PeerStream)
    near.stream.write('hello, ')
    near.stream.end('box stream')
    assert.equal(String(await all(far.stream)), 'hello, box stream')
    far.stream.end(Buffer.alloc(300_000, 7))
    assert.equal((await near.stream.readExactly(5)).length, 5)
    assert.equal((await all(near.stream)).length, 299_995)
    assert.equal(await near.closed, undefined)
    assert.equal(await far.closed, undefined)
    assert.equal(near.stream.sent, 17)
    assert.equal(near.stream.received, 300_000)
  })
}

test('an echo by pipeline() carries 20 MB, as fast as they are read', async (t) => {
  const { near, far } = await connected(t)
  const echo = pipeline(far.stream, far.stream)
  const data = Buffer.alloc(20_000_000)
  for (let i = 0; i < data.length; i += 4) data.writeUInt32LE(i, i)
  near.stream.end(data)
  assert.ok(data.equals(await all(near.stream)))
  await echo
  assert.equal(await near.closed, undefined)
})

test('a writer waits for a reader', async (t) => {
  const { near, far } = await connected(t)
  let written = false
  near.stream.write(Buffer.alloc(10_000_000), () => (written = true))
  await once(far.stream, 'readable')
  assert.equal(written, false)
  far.stream.resume()
  near.stream.end()
  await once(far.stream, 'end')
  assert.equal(written, true)
})

test('destroy() breaks the connection off: truncated at the other end', async (t) => {
  const { near, far } = await connected(t)
  near.stream.write('half')
  assert.equal(String(await far.stream.readExactly(4)), 'half')
  near.stream.destroy()
  await assert.rejects(all(far.stream), { code: 'truncated' })
  assert.equal((await far.closed).code, 'truncated')
  assert.equal((await near.closed).code, 'cancelled')
})

test('a stream that ends before so many bytes is incomplete', async (t) => {
  const { near, far } = await connected(t)
  near.stream.end('abc')
  await assert.rejects(far.stream.readExactly(4), (error) => error instanceof IncompleteReadError && String(error.partial) === 'abc')
})

test('close() sends what was written and ends in good order', async (t) => {
  const { near, far } = await connected(t)
  near.stream.write('last words')
  const closing = near.close()
  assert.equal(String(await all(far.stream)), 'last words')
  far.stream.end()
  await closing
  assert.equal(await near.closed, undefined)
  assert.equal(await far.closed, undefined)
})

test('it goes over streams of the program', async (t) => {
  const server = await Node.open({ allow: 'anyone' })
  const client = await Node.open()
  t.after(() => Promise.all([client.close(100), server.close(100)]))
  const listener = await server.listen(transports.tcp(), shs)
  const there = new PassThrough()
  const back = new PassThrough()
  const accepting = server.acceptPipe({ readable: there, writable: back }, { listener })
  const near = await client.connectPipe(server.id, { readable: back, writable: there }, shs)
  const far = await accepting
  near.stream.end('over two streams')
  assert.equal(String(await all(far.stream)), 'over two streams')
  far.stream.end()
  assert.equal(await near.closed, undefined)
})

test('a pipe without a listener says its own channel', async (t) => {
  const server = await Node.open({ allow: 'anyone' })
  const client = await Node.open()
  t.after(() => Promise.all([client.close(100), server.close(100)]))
  const there = new PassThrough()
  const back = new PassThrough()
  const accepting = server.acceptPipe({ readable: there, writable: back }, shs)
  const near = await client.connectPipe(server.id, { readable: back, writable: there }, shs)
  const far = await accepting
  assert.equal(far.channel, 'shs1')
  near.stream.end('without a listener')
  assert.equal(String(await all(far.stream)), 'without a listener')
  far.stream.end()
  assert.equal(await near.closed, undefined)
})

test('who asks is decided about, and a refusal has no words', async (t) => {
  const asked = []
  const onAsk = (ask) => {
    asked.push(ask)
    return asked.length === 1 ? new Status(70, 'no') : true
  }
  // What the node tells those of the other channel is not for these.
  const server = await Node.open({ onAsk, data: () => assert.fail('no data are wanted') })
  const client = await Node.open()
  t.after(() => Promise.all([client.close(100), server.close(100)]))
  const { ticket } = await server.listen(transports.unix(), shs)
  await assert.rejects(client.connect(ticket, shs), { code: 'not_allowed' })
  const peer = await client.connect(ticket, shs)
  assert.equal(peer.data.length, 0)
  assert.deepEqual(asked.map(({ id, channel }) => [id, channel]), [[client.id, 'shs1'], [client.id, 'shs1']])
})

test('another network identifier gets no answer, and neither does the other channel', async (t) => {
  const server = await Node.open({ allow: 'anyone', limits: { handshakeTimeout: 200 } })
  const client = await Node.open()
  t.after(() => Promise.all([client.close(100), server.close(100)]))
  const { ticket } = await server.listen(transports.tcp(), shs)
  await assert.rejects(client.connect(ticket, { channel: 'shs1', shsNetwork: new Uint8Array(32) }), { code: 'no_answer' })
  await assert.rejects(client.connect(ticket), { code: 'no_answer' })
})

test('what needs a session is unsupported, and what does not fit an argument', async (t) => {
  const { server, client, near } = await connected(t)
  const unsupported = { code: 'unsupported' }
  await assert.rejects(near.send('route', 'x'), unsupported)
  await assert.rejects(near.send('route', 'x', { receipt: true }), unsupported)
  await assert.rejects(near.request('route', 'x'), unsupported)
  await assert.rejects(near.ping(), unsupported)
  assert.throws(() => near.pause(), unsupported)
  await assert.rejects(near.close({ code: 64 }), unsupported)
  assert.ok(near.connected)
  const ticket = `tcp://127.0.0.1:1#${server.id}`
  await assert.rejects(client.connect(ticket, { ...shs, data: new Uint8Array(1) }), unsupported)
  for (const options of [{ channel: 'shs1' }, { channel: 'shs1', shsNetwork: new Uint8Array(31) }, { shsNetwork: shs.shsNetwork }, { channel: 'tls' }]) {
    await assert.rejects(client.connect(ticket, options), { code: 'argument' })
    await assert.rejects(server.listen(transports.tcp(), options), { code: 'argument' })
  }
})

test('a peer of the other channel has no stream', async (t) => {
  const server = await Node.open({ allow: 'anyone' })
  const client = await Node.open()
  t.after(() => Promise.all([client.close(100), server.close(100)]))
  const peer = await client.connect((await server.listen(transports.tcp())).ticket)
  assert.equal(peer.channel, 'sealwire')
  assert.equal(peer.stream, undefined)
})

test('a stream ends when its node is closed', async (t) => {
  const { client, near, far } = await connected(t)
  far.stream.resume().on('end', () => far.stream.end())
  await client.close(1)
  assert.ok(near.stream.destroyed)
  await far.closed
})
