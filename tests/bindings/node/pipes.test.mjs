// Pipes that the program carries: sessions over streams of Node.js and of the web, and over a child's standard streams.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createConnection, createServer } from 'node:net'
import { Duplex, PassThrough, Writable } from 'node:stream'
import { test } from 'node:test'
import { join } from 'node:path'

import { Identity, Node } from 'sealwire'
import { errorsOf, folder, program } from './support.mjs'

let sockets = 0
// Two connected sockets.
async function line() {
  const path = join(folder, `pipe-${++sockets}.sock`)
  const server = createServer({ allowHalfOpen: true })
  await new Promise((resolve) => server.listen(path, resolve))
  const accepted = new Promise((resolve) => server.once('connection', resolve))
  const near = createConnection(path)
  const far = await accepted
  server.close()
  return [near, far]
}

// Two ends without an end of their own, as of a serial line.
function endless() {
  const there = new PassThrough()
  const back = new PassThrough()
  const to = (stream) => new Writable({ write: (data, _, then) => stream.write(data, then) })
  return [{ readable: back, writable: to(there) }, { readable: there, writable: to(back) }]
}

async function nodes(t, options = {}) {
  const limits = { handshakeTimeout: 300, lease: 0 }
  const server = await Node.open({ allow: 'anyone', network: 'tests', limits, ...options })
  const client = await Node.open({ network: 'tests', limits })
  server.route('echo', (request) => request.body)
  t.after(() => Promise.all([server.close(100), client.close(100)]))
  return { server, client }
}

const closed = (stream) => (stream.closed ? undefined : new Promise((resolve) => stream.once('close', resolve)))

test('a session whose pipe broke goes on over another', async (t) => {
  const { server, client } = await nodes(t, { limits: {} })
  await client.close()
  const caller = await Node.open({ network: 'tests' })
  t.after(() => caller.close(100))
  const over = async ([near, far]) => Promise.all([caller.connectPipe(server.id, near, { address: 'line:near' }), server.acceptPipe(far)])
  const sockets = await line()
  const [here, there] = await over(sockets)
  const suspended = new Promise((resolve) => here.once('suspended', resolve))
  for (const socket of sockets) socket.destroy()
  await suspended
  const answer = here.request('echo', 'meanwhile')
  const [again, accepted] = await over(await line())
  assert.ok(again === here && accepted === there)
  assert.equal((await answer).text(), 'meanwhile')
})

test('a session runs over a socket of the program', async (t) => {
  const { server, client } = await nodes(t)
  const came = []
  server.on('peer', ({ detail }) => came.push(detail))
  const [near, far] = await line()
  const [here, there] = await Promise.all([
    client.connectPipe(server.id, near, { address: 'line:near', data: Buffer.from('hello') }),
    server.acceptPipe(far, { address: 'line:far' }),
  ])
  assert.deepEqual([here.id, there.id], [server.id, client.id])
  assert.deepEqual([here.address, there.address], ['line:near', 'line:far'])
  assert.equal(Buffer.from(there.data).toString(), 'hello')
  assert.ok(here.dialled && !there.dialled)
  const body = randomBytes(3_000_000)
  assert.ok(Buffer.from((await here.request('echo', body)).body).equals(body))
  await here.close()
  assert.equal((await there.closed).code, 'peer_closed')
  await Promise.all([closed(near), closed(far)])
})

test('small buffers only slow it down', async (t) => {
  const { server, client } = await nodes(t)
  const [near, far] = await line()
  const [here] = await Promise.all([client.connectPipe(server.id, near, { bufferBytes: 700 }), server.acceptPipe(far, { bufferBytes: 300 })])
  const body = randomBytes(300_000)
  assert.ok(Buffer.from((await here.request('echo', body)).body).equals(body))
})

test('a session closes at once where the pipe has no end of its own', async (t) => {
  const { server, client } = await nodes(t)
  const [near, far] = endless()
  const [here, there] = await Promise.all([client.connectPipe(server.id, near), server.acceptPipe(far)])
  const before = performance.now()
  await Promise.all([here.close(), there.closed])
  await Promise.all([client.close(), server.close()])
  assert.ok(performance.now() - before < 1500) // a wait for the other's end would take 2 s
})

test('it runs over web streams', async (t) => {
  const { server, client } = await nodes(t)
  const there = new TransformStream()
  const back = new TransformStream()
  const [here] = await Promise.all([
    client.connectPipe(server.id, { readable: back.readable, writable: there.writable }),
    server.acceptPipe({ readable: there.readable, writable: back.writable }),
  ])
  const body = randomBytes(200_000)
  assert.ok(Buffer.from((await here.request('echo', body)).body).equals(body))
})

test('who is refused is told so, and who accepts learns why nobody came', async (t) => {
  const { server, client } = await nodes(t, { allow: [] })
  const [near, far] = await line()
  const [dialled, accepted] = await Promise.allSettled([client.connectPipe(server.id, near), server.acceptPipe(far)])
  assert.equal(dialled.reason.code, 'not_allowed')
  assert.equal(accepted.reason.code, 'not_allowed')
  await Promise.all([closed(near), closed(far)])
})

test('a stream that fails loses the peer with its words', async (t) => {
  const { server, client } = await nodes(t)
  const [near, far] = await line()
  const [here, there] = await Promise.all([client.connectPipe(server.id, near), server.acceptPipe(far)])
  near.destroy(new Error('unplugged'))
  const reason = await here.closed
  assert.equal(reason.code, 'peer_lost')
  assert.match(reason.detail, /unplugged/)
  assert.ok(await there.closed)
})

test('strangers are met by silence', async (t) => {
  const { server } = await nodes(t)
  const [near, far] = await line()
  const accepting = server.acceptPipe(far)
  let came = 0
  near.on('data', (data) => (came += data.length))
  near.write('GET / HTTP/1.1\r\n\r\n')
  await assert.rejects(accepting)
  await closed(near)
  assert.equal(came, 0)
})

test('a signal ends the wait and the pipe', async (t) => {
  const { server, client } = await nodes(t)
  for (const begin of [(stream, signal) => server.acceptPipe(stream, { signal }), (stream, signal) => client.connectPipe(server.id, stream, { signal })]) {
    const [near, far] = await line()
    near.resume()
    const abort = new AbortController()
    const waiting = begin(far, abort.signal)
    abort.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    await closed(near)
  }
})

test('the limits of a listener hold for a pipe that is accepted under it', async (t) => {
  const { server, client } = await nodes(t)
  const listener = await server.listen('tcp://127.0.0.1:0')
  const [near, far] = await line()
  const [here] = await Promise.all([client.connectPipe(server.id, near), server.acceptPipe(far, { listener })])
  assert.equal((await here.request('echo', 'x')).text(), 'x')
  await listener.close()
  const [a, b] = await line()
  await assert.rejects(server.acceptPipe(b, { listener }), { code: 'handle' })
  a.destroy()
  b.destroy()
})

test('wrong arguments are refused', async (t) => {
  const { server, client } = await nodes(t)
  const stream = new PassThrough()
  const code = 'argument'
  await assert.rejects(client.connectPipe('nonsense', stream), { code: 'key' })
  await assert.rejects(client.connectPipe(client.id, stream), { code: 'self' })
  await assert.rejects(client.connectPipe(server.id, stream, { address: 'a\nb' }), { code })
  await assert.rejects(client.connectPipe(server.id, stream, { bufferBytes: 2 ** 31 }), { code })
  await assert.rejects(client.connectPipe(server.id, stream, { bufferBytes: -1 }), { code })
  await assert.rejects(client.connectPipe(server.id, stream, { keepalive: 1 }), { code })
  await assert.rejects(client.connectPipe(server.id, {}), { code })
  await assert.rejects(client.connectPipe(server.id, undefined), { code })
  await assert.rejects(client.acceptPipe({ readable: stream, writable: 5 }), { code })
  await assert.rejects(client.acceptPipe(stream, { listener: {} }), { code })
})

test('a child process is spoken to over its standard streams', async (t) => {
  const path = join(folder, 'child.key')
  const identity = Identity.generate()
  identity.save(path)
  const { child, exit } = program(`
    import { Node } from 'sealwire'
    const node = await Node.open({ network: 'tests', allow: 'anyone', identity: process.argv[2] })
    node.route('echo', (request) => request.body)
    const peer = await node.acceptPipe({ readable: process.stdin, writable: process.stdout })
    await peer.closed
  `, [path])
  const client = await Node.open({ network: 'tests' })
  t.after(() => client.close(100))
  const peer = await client.connectPipe(identity.id, { readable: child.stdout, writable: child.stdin })
  const body = randomBytes(500_000)
  assert.ok(Buffer.from((await peer.request('echo', body)).body).equals(body))
  await peer.close()
  assert.equal((await exit).code, 0)
})

test('a node that closes has written its last bytes', async (t) => {
  const { server, client } = await nodes(t)
  const errors = errorsOf(client)
  const [near, far] = await line()
  const [, there] = await Promise.all([client.connectPipe(server.id, near), server.acceptPipe(far)])
  await client.close()
  assert.equal((await there.closed).code, 'peer_closed')
  assert.deepEqual(errors, [])
  assert.ok(near instanceof Duplex && near.destroyed)
})
