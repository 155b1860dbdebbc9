// Bodies by their type field; tests/interop/codecs.mjs compares values with Python.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { Answer, encode, SealwireError } from 'sealwire'

import { folder, pair } from './support.mjs'

const kinds = ['bytes', 'utf8', 'json', 'messagepack', 'cbor']
const value = { a: [1, -2.5, null, true, 'text'], b: {} }
const valueOf = (kind) => ({ bytes: new Uint8Array([0, 255]), utf8: 'text' })[kind] ?? value
const plain = (one) => (one instanceof Uint8Array ? [...one] : one)

for (const kind of kinds) {
  test(`a body is read by its type: ${kind}`, async (t) => {
    const echo = (request) => {
      assert.equal(request.type, kind)
      return encode(request.decode(), kind)
    }
    const many = async function* (request) {
      yield encode(request.decode(), kind)
      yield new Answer(encode(request.decode(), kind))
    }
    const { peer } = await pair(t, { routes: { echo, many } })
    const reply = await peer.request('echo', encode(valueOf(kind), kind))
    assert.equal(reply.type, kind)
    assert.deepEqual(plain(reply.decode()), plain(valueOf(kind)))
    const got = []
    for await (const one of peer.requestMany('many', encode(valueOf(kind), kind))) got.push([one.type, plain(one.decode())])
    assert.deepEqual(got, [[kind, plain(valueOf(kind))], [kind, plain(valueOf(kind))]])
    await peer.send('echo', encode(valueOf(kind), kind), { receipt: true })
    assert.equal(peer.trySend('echo', encode(valueOf(kind), kind)), true)
  })
}

test('bodies that are given plainly have their type', async (t) => {
  const { peer } = await pair(t, { routes: { kind: (request) => request.type } })
  for (const [body, kind] of [[Buffer.from('x'), 'bytes'], ['x', 'utf8'], [{ x: 1 }, 'json']]) {
    assert.equal((await peer.request('kind', body)).text(), kind)
  }
})

test('what an encoding cannot say is refused where it is sent', () => {
  const wrong = [['bytes', 'text'], ['utf8', Buffer.from('x')], ['json', undefined], ['json', 1n], ['messagepack', Symbol('x')],
    ['messagepack', 2n ** 64n], ['messagepack', -(2n ** 63n) - 1n], ['messagepack', new Map([[1, 2]])],
    ['messagepack', [new Date()]], ['cbor', new Set()], ['cbor', () => {}], ['cbor', 2n ** 64n], ['xml', 'x']]
  for (const [kind, one] of wrong) assert.throws(() => encode(one, kind), (error) => error instanceof SealwireError || error instanceof TypeError, kind)
})

test('a body that is not what its type says raises', async (t) => {
  const types = []
  const { peer } = await pair(t, { routes: { read: (request) => {
    assert.throws(() => request.decode(), SyntaxError, `${request.type} ${request.body.slice(0, 9)}`)
    types.push(request.type)
  } } })
  const wrong = [['json', '7b'], ['json', ''], ['messagepack', ''], ['messagepack', 'c1'], ['messagepack', '0102'],
    ['messagepack', '810102'], ['messagepack', 'ddffffffff'], ['messagepack', 'c6ffffffff'], ['cbor', ''], ['cbor', '0102'],
    ['cbor', 'ff'], ['cbor', '5bffffffffffffffff'], ['cbor', '81'.repeat(100_000)], ['messagepack', `${'91'.repeat(100_000)}cf`]]
  for (const [kind, hex] of wrong) {
    const body = encode('', 'utf8')
    const made = Object.assign(Object.create(Object.getPrototypeOf(body)), { bytes: Buffer.from(hex, 'hex'), bodyType: kinds.indexOf(kind) })
    await peer.request('read', made)
  }
  assert.deepEqual(types, wrong.map(([kind]) => kind))
})

test('the names of a map reach no prototype', async (t) => {
  const { peer } = await pair(t, { routes: { read: (request) => {
    const got = request.decode()
    return JSON.stringify([Object.keys(got), got.polluted, {}.polluted])
  } } })
  const cbor = encode(new Map([['__proto__', new Map([['polluted', 1]])]]), 'cbor')
  assert.equal((await peer.request('read', cbor)).text(), '[["__proto__"],null,null]')
})

test('a missing package is named', () => {
  const lonely = join(folder, 'lonely')
  cpSync(process.env.SEALWIRE_NODE_PACKAGE, join(lonely, 'node_modules', 'sealwire'), { recursive: true })
  writeFileSync(join(lonely, 'program.mjs'), `import { encode } from 'sealwire'
    for (const kind of ['messagepack', 'cbor']) try { encode(1, kind) } catch (error) { console.log(error.code, error.message) }`)
  const output = execFileSync(process.execPath, [join(lonely, 'program.mjs')], { encoding: 'utf8' })
  assert.deepEqual(output.trim().split('\n'), [
    'MODULE_NOT_FOUND bodies in MessagePack need the package @msgpack/msgpack: npm install @msgpack/msgpack',
    'MODULE_NOT_FOUND bodies in CBOR need the package cborg: npm install cborg'])
})

test('no package is loaded before it is used', () => {
  const program = `const before = Object.keys(require.cache).length
    require('sealwire')
    console.log(Object.keys(require.cache).some((path) => /msgpack|cborg/.test(path)))`
  assert.equal(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }).trim(), 'false')
})
