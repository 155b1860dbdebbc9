// The web port: nodes over ws://, and what a program answers by HTTP beside it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { Identity, Node } from 'sealwire'

const open = (options = {}) => Node.open({ network: 'web', allow: 'anyone', ...options })
const portOf = (listener) => Number(/^ws:\/\/127\.0\.0\.1:(\d+)/.exec(listener.address)[1])

function get(port, path, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, path, method, headers, agent: false })
    request.on('upgrade', (response, socket) => resolve({ status: response.statusCode, socket: socket.destroy() }))
    request.on('response', (response) => {
      const parts = []
      response.on('data', (part) => parts.push(part))
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(parts).toString() }))
    })
    request.on('error', reject)
    request.end(body)
  })
}

const upgrade = (headers = {}) => ({
  headers: { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers },
})

test('two nodes talk over a WebSocket', async () => {
  const server = await open()
  const client = await open()
  server.route('echo', (request) => request.body)
  const listener = await server.listen('ws://127.0.0.1:0/chat')
  assert.match(listener.ticket, /^ws:\/\/127\.0\.0\.1:\d+\/chat#/)
  const peer = await client.connect(listener.ticket)
  assert.equal((await peer.request('echo', Buffer.alloc(300_000, 'x'))).body.length, 300_000)
  const other = listener.ticket.replace('/chat', '/other').replace(server.id, Identity.generate().id)
  await assert.rejects(client.connect(other), { code: 'ws_refused' })
  await client.close()
  await server.close()
})

test('what the library and the program answer by HTTP', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sealwire-web-'))
  writeFileSync(path.join(folder, 'a.txt'), 'aaa')
  const errors = []
  const server = await open()
  server.on('error', (event) => errors.push(event))
  const seen = []
  const listener = await server.listen('ws://127.0.0.1:0', {
    http: {
      health: '/health', metrics: '/metrics', folder, maxBodyBytes: 10,
      async onRequest(request) {
        seen.push(request)
        await null
        if (request.path === '/throws') throw new Error('so it goes')
        return { '/text': 'text', '/bytes': Buffer.from('bytes'), '/status': 418,
          '/answer': { status: 201, headers: { 'Content-Type': 'text/html', 'X-A': 'b' }, body: '<p>' } }[request.path]
      },
    },
  })
  const port = portOf(listener)
  assert.equal((await get(port, '/health')).text, 'ok\n')
  assert.match((await get(port, '/metrics')).text, /\nsealwire_sessions 0\n/)
  assert.equal((await get(port, '/a.txt')).text, 'aaa')
  assert.equal((await get(port, '/text')).text, 'text')
  assert.equal((await get(port, '/bytes')).text, 'bytes')
  assert.equal((await get(port, '/status')).status, 418)
  assert.equal((await get(port, '/none')).status, 404)
  const answer = await get(port, '/answer?a=b', { method: 'POST', headers: { 'X-Thing': 'c' }, body: '12345' })
  assert.deepEqual([answer.status, answer.text, answer.headers['content-type'], answer.headers['x-a']], [201, '<p>', 'text/html', 'b'])
  assert.equal((await get(port, '/text', { method: 'POST', headers: { 'Content-Length': 11 }, body: '12345678901' })).status, 413)
  assert.equal((await get(port, '/throws')).status, 500)
  assert.equal(errors.length, 1)
  const request = seen.at(-2)
  assert.deepEqual([request.method, request.path, request.query, Buffer.from(request.body).toString()], ['POST', '/answer', 'a=b', '12345'])
  assert.ok(request.headers.some(([name, value]) => name === 'x-thing' && value === 'c'))
  await server.close()
  rmSync(folder, { recursive: true })
})

test('the program decides on upgrades, once the origin was checked', async () => {
  const server = await open()
  const listener = await server.listen('ws://127.0.0.1:0/x', {
    http: {
      origins: ['https://friend.example'],
      onUpgrade: (request) => request.path === '/x' || request.headers.some(([name, value]) => name === 'cookie' && value === 'a=b'),
    },
  })
  const port = portOf(listener)
  assert.equal((await get(port, '/any', upgrade({ Cookie: 'a=b' }))).status, 101)
  assert.equal((await get(port, '/any', upgrade())).status, 403)
  assert.equal((await get(port, '/x', upgrade({ Origin: 'https://friend.example' }))).status, 101)
  assert.equal((await get(port, '/x', upgrade({ Origin: 'https://evil.example' }))).status, 403)
  await server.close()
})

test('options that cannot be are refused', async () => {
  const server = await open()
  await assert.rejects(server.listen('tcp://127.0.0.1:0', { http: { health: '/health' } }), { code: 'argument' })
  await assert.rejects(server.listen('ws://127.0.0.1:0', { http: { health: 'health' } }), { code: 'argument' })
  await assert.rejects(server.listen('ws://127.0.0.1:0', { http: { onRequest: 1 } }), { code: 'argument' })
  await server.close()
})
