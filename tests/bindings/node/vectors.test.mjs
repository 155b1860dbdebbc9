// The known answers in tests/vectors/sealwire, opened by a second implementation: node:crypto and PROTOCOL.md, section 3.
import assert from 'node:assert/strict'
import { createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

const read = (name) => JSON.parse(readFileSync(path.join(process.env.SEALWIRE_SOURCE_ROOT, 'tests/vectors/sealwire', name)))
const hex = (text) => Buffer.from(text, 'hex')
const TAG = 16
const LAST_NONCE = 2n ** 64n - 1n

const nonceOf = (n) => {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64LE(n, 4)
  return nonce
}

class Direction {
  constructor(key, counter, interval) {
    Object.assign(this, { key, n: BigInt(counter), interval: BigInt(interval) })
  }

  keyOfNext() {
    if (this.n > 0n && this.n % this.interval === 0n) {
      const cipher = createCipheriv('chacha20-poly1305', this.key, nonceOf(LAST_NONCE), { authTagLength: TAG })
      cipher.setAAD(Buffer.alloc(0), { plaintextLength: 32 })
      this.key = Buffer.concat([cipher.update(Buffer.alloc(32)), cipher.final()])
    }
    return this.key
  }

  open(record) {
    const length = record.readUInt16LE(0)
    assert.equal(record.length, 2 + length)
    const cipher = createDecipheriv('chacha20-poly1305', this.keyOfNext(), nonceOf(this.n++), { authTagLength: TAG })
    cipher.setAAD(record.subarray(0, 2), { plaintextLength: length - TAG })
    cipher.setAuthTag(record.subarray(record.length - TAG))
    return Buffer.concat([cipher.update(record.subarray(2, record.length - TAG)), cipher.final()])
  }
}

test('records of suite 1 open to their plaintext, over rekeys, and not when a bit is changed', () => {
  const known = read('record.json').vectors.filter((vector) => vector.suite === 1)
  let records = 0
  for (const { key, counter, rekey_interval: interval, records: row } of known) {
    const direction = new Direction(hex(key), counter, interval)
    for (const { plain, record } of row) {
      const before = new Direction(direction.key, direction.n, direction.interval)
      const changed = hex(record)
      changed[changed.length - 1] ^= 1
      assert.throws(() => before.open(changed))
      assert.equal(direction.open(hex(record)).toString('hex'), plain)
      records++
    }
  }
  assert.ok(known.length >= 2 && records >= 16, `${records} records`)
})

const DER = { x25519: '302e020100300506032b656e04220420', ed25519: '302e020100300506032b657004220420' }
const secret = (kind, seed) => createPrivateKey({ key: Buffer.concat([hex(DER[kind]), hex(seed)]), format: 'der', type: 'pkcs8' })
const publicOf = (key) => createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)

test('ids of the handshakes are the public keys of their seeds, and their ephemeral keys agree', () => {
  const known = read('handshake.json').vectors
  for (const vector of known) {
    for (const side of ['initiator', 'responder']) {
      assert.equal(publicOf(secret('ed25519', vector[`${side}_seed`])).toString('hex'), vector[`${side}_id`])
    }
    const one = secret('x25519', vector.initiator_ephemeral)
    const two = secret('x25519', vector.responder_ephemeral)
    assert.ok(diffieHellman({ privateKey: one, publicKey: createPublicKey(two) })
      .equals(diffieHellman({ privateKey: two, publicKey: createPublicKey(one) })))
  }
  assert.ok(known.length >= 2)
})
