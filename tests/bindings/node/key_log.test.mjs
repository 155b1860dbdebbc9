// The key log; the same scenarios as in tests/bindings/python/test_key_log.py.
import assert from 'node:assert/strict'
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { Node } from 'sealwire'
import { folder, pair, transports } from './support.mjs'

const warnings = []
process.on('warning', (warning) => warnings.push(warning))

test('keys are written and warned about', async (t) => {
  const keyLog = join(folder, 'keys')
  const { peer } = await pair(t, { url: transports.unix(), routes: { x: () => undefined }, client: { keyLog } })
  await peer.request('x')
  const lines = readFileSync(keyLog, 'utf8').trimEnd().split('\n').map((line) => line.split(' '))
  assert.deepEqual(lines.map((line) => line[0]), ['SEALWIRE_INITIATOR_KEY', 'SEALWIRE_RESPONDER_KEY'])
  assert.deepEqual(lines[0].slice(1).map((field) => field.length), [64, 64, 1, 64])
  assert.equal(statSync(keyLog).mode & 0o7777, 0o600)
  const warning = warnings.find((one) => one.name === 'KeyLogWarning')
  assert.match(warning.message, new RegExp(`can be read by whoever has ${keyLog}`))
})

test('the log tells it though nobody asked for a log', async (t) => {
  const keyLog = join(folder, 'more keys')
  const node = await Node.open({ keyLog })
  t.after(() => node.close(100))
  const logged = new Promise((resolve) => node.once('log', resolve))
  await node.listen(transports.unix()) // a node that does nothing keeps no process alive
  const entry = await logged
  assert.equal(entry.level, 'warning')
  assert.ok(entry.text.includes('KEY LOG') && entry.text.includes(keyLog))
})

test('a key log that cannot be written is an error of open', async () => {
  await assert.rejects(Node.open({ keyLog: join(folder, 'no folder', 'keys') }), { code: 'not_found' })
  const keyLog = join(folder, 'open keys')
  writeFileSync(keyLog, '')
  chmodSync(keyLog, 0o644)
  await assert.rejects(Node.open({ keyLog }), { code: 'permission', message: /0600/ })
  await assert.rejects(Node.open({ keyLog: 1 }), { code: 'argument' })
})
