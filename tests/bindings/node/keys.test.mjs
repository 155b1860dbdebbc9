// Identities, networks, tickets, and the table of errors.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import * as sealwire from 'sealwire'

const { Identity, network, peerId, ticket } = sealwire
// Parts that are not exported.
const inner = (name) => createRequire(import.meta.url)(join(process.env.SEALWIRE_NODE_PACKAGE, 'dist', name))

test('identities: generate, seed, save, load', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sealwire-keys-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const one = Identity.generate()
  assert.match(one.id, /^[a-z2-7]{52}$/)
  assert.equal(Identity.fromSeed(one.seed()).id, one.id)
  assert.notEqual(Identity.generate().id, one.id)
  const path = join(folder, 'me.key')
  one.save(path)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(Identity.load(path).id, one.id)
  assert.throws(() => one.save(path), { name: 'KeyError', code: 'key_file' })
  assert.throws(() => Identity.load(join(folder, 'absent')), { code: 'key_file' })
  assert.throws(() => Identity.fromSeed(new Uint8Array(31)), sealwire.SealwireError)
  assert.throws(() => Identity.fromSeed('seed'), { code: 'argument' })
  assert.throws(() => Identity.load(`${folder}/a\0b.key`), { code: 'argument' })
  assert.throws(() => one.save(`${folder}/a\0b.key`), { code: 'argument' })
})

test('a thing that is no identity is refused', async () => {
  await assert.rejects(sealwire.Node.open({ identity: {} }), { code: 'argument' })
})

test('networks and tickets', async () => {
  const secret = network.generate()
  assert.match(secret, /^swnet1/)
  network.check(secret)
  assert.throws(() => network.check(secret.slice(0, -1)), { name: 'KeyError' })
  const [a, b] = await Promise.all([network.fromPassphrase('correct horse'), network.fromPassphrase('correct horse')])
  assert.equal(a, b)
  await assert.rejects(network.fromPassphrase('short'), (error) => error.code === 'key' && /12 bytes/.test(error.hint))
  const detail = 'the passphrase of a network has at least 12 bytes, this one 5' // as Python says it
  await assert.rejects(network.fromPassphrase('short'), (error) => error.detail === detail && error.message.includes(`: ${detail}. `))
  const { id } = Identity.generate()
  const text = ticket.make('tcp://127.0.0.1:9000', id)
  assert.deepEqual(ticket.split(text), { address: 'tcp://127.0.0.1:9000', id })
  assert.throws(() => ticket.split('tcp://127.0.0.1:9000'), { name: 'AddressError' })
  assert.throws(() => peerId.toBytes('x'), { code: 'key' })
})

test('every result of the C interface has its class, its name and its words', () => {
  const header = readFileSync(join(process.env.SEALWIRE_SOURCE_ROOT, 'capi/include/sealwire/sealwire.h'), 'utf8')
  const results = [...header.matchAll(/^ {4}SW_ERR_\w+ = (\d+)/gm)].map((match) => Number(match[1]))
  assert.ok(results.length >= 43)
  const { errorOf } = inner('errors.js')
  const { native } = inner('native.js')
  const names = new Set()
  for (const result of results) {
    const error = errorOf(result, { detail: 'the detail' })
    const [name, text, hint] = native.describeResult(result)
    assert.ok(error instanceof sealwire.SealwireError && error.constructor !== sealwire.SealwireError, `${name} has no class`)
    assert.equal(sealwire[error.constructor.name], error.constructor)
    assert.equal(error.code, name)
    assert.equal(error.hint, hint)
    assert.equal(error.result, result)
    assert.ok(error.message.startsWith(`${text}: the detail`), error.message)
    names.add(name)
  }
  assert.equal(names.size, results.length)
})
