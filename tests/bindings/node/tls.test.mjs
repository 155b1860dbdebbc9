// tls:// and wss://: certificates as files and as text, certificates that change, what is told where they do not fit.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { get } from 'node:https'
import { test } from 'node:test'

import { ConnectionError, Node, TlsError, UsageError } from 'sealwire'
import { certificates } from './support.mjs'

const folder = certificates()
const file = (name) => `${folder}/${name}`
const serving = { certificateFile: file('server.pem'), keyFile: file('server.key') }
const trusting = { ca: readFileSync(file('ca.pem'), 'utf8') }
const code = (expected) => (error) => {
  assert.ok(error instanceof TlsError && error instanceof ConnectionError)
  assert.equal(error.code, expected)
  assert.ok(error.detail && error.hint)
  return true
}

async function ends(t) {
  const server = await Node.open({ network: 'tls', allow: 'anyone' })
  const client = await Node.open({ network: 'tls' })
  server.route('echo', (request) => request.body)
  t.after(() => Promise.all([server.close(100), client.close(100)]))
  return { server, client }
}

for (const scheme of ['tls', 'wss']) {
  test(`a request is answered over TLS, ${scheme}`, async (t) => {
    const { server, client } = await ends(t)
    const listener = await server.listen(`${scheme}://localhost:0`, { tls: { certificate: readFileSync(file('server.pem')), key: readFileSync(file('server.key')) } })
    assert.ok(listener.ticket.startsWith(`${scheme}://127.0.0.1:`))
    const peer = await client.connect(listener.ticket, { tls: { ...trusting, minVersion: '1.3' } })
    assert.equal(peer.id, server.id)
    assert.equal((await peer.request('echo', 'hello')).text(), 'hello')
  })

  test(`each failure has its code, ${scheme}`, async (t) => {
    const { server, client } = await ends(t)
    const listener = await server.listen(`${scheme}://127.0.0.1:0`, { tls: serving })
    await assert.rejects(client.connect(listener.ticket, { tls: { caFile: file('other-ca.pem') } }), code('tls_unknown_ca'))
    await assert.rejects(client.connect(listener.ticket, { tls: { ...trusting, serverName: 'wrong.example' } }), code('tls_host'))
    listener.setTls({ certificateFile: file('expired.pem'), keyFile: file('expired.key') })
    await assert.rejects(client.connect(listener.ticket, { tls: trusting }), code('tls_expired'))
    listener.setTls({ ...serving, caFile: file('ca.pem'), clients: 'required' })
    await assert.rejects(client.connect(listener.ticket, { tls: trusting }), code('tls_client_certificate'))
    await client.connect(listener.ticket, { tls: { ...trusting, certificateFile: file('client.pem'), keyFile: file('client.key') } })
  })

  test(`what does not fit is told at once, ${scheme}`, async (t) => {
    const { server, client } = await ends(t)
    await assert.rejects(server.listen(`${scheme}://127.0.0.1:0`), code('tls_config'))
    await assert.rejects(server.listen(`${scheme}://127.0.0.1:0`, { tls: { ...serving, keyFile: '/nonexistent' } }), code('tls_config'))
    await assert.rejects(server.listen('tcp://127.0.0.1:0', { tls: serving }), UsageError)
    for (const wrong of [{ ...serving, clients: 'some' }, { ...serving, minVersion: '1.1' }, { ...serving, cert: 'x' }, 'x', { certificate: 5 }]) {
      await assert.rejects(server.listen(`${scheme}://127.0.0.1:0`, { tls: wrong }), UsageError)
    }
    const listener = await server.listen(`${scheme}://127.0.0.1:0`, { tls: serving })
    assert.throws(() => listener.setTls({ ...serving, keyFile: file('client.key') }), code('tls_config'))
    await client.connect(listener.ticket, { tls: trusting }) // as it was
  })
}

test('the port of wss answers HTTP over TLS', async (t) => {
  const { server, client } = await ends(t)
  const listener = await server.listen('wss://127.0.0.1:0/talk', { tls: serving, http: { health: '/health' } })
  const { hostname, port } = new URL(listener.address.replace('wss:', 'https:'))
  const [status, body] = await new Promise((resolve, reject) => {
    get({ hostname, port, path: '/health', ca: trusting.ca }, async (response) => {
      let text = ''
      for await (const part of response) text += part
      resolve([response.statusCode, text])
    }).on('error', reject)
  })
  assert.deepEqual([status, body], [200, 'ok\n'])
  const peer = await client.connect(listener.ticket, { tls: trusting })
  assert.equal((await peer.request('echo', 'hello')).text(), 'hello')
})
