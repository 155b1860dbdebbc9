// Options that say yes or no: nothing but true and false is taken for either.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Node } from 'sealwire'
import { pair } from './support.mjs'

const WRONG = ['yes', 'false', '', 1, 0, null, {}, []]

// It refuses all that is no boolean, naming the option.
async function refuses(name, call) {
  for (const value of WRONG) {
    const words = new RegExp(`^${name} is neither true nor false$`)
    await assert.rejects(async () => call({ [name]: value }), { code: 'argument', detail: words }, `${name}: ${JSON.stringify(value)}`)
  }
}

test('options of nodes, listeners, routes and functions are booleans', async (t) => {
  for (const name of ['severalSessions', 'tellErrors']) await refuses(name, (options) => Node.open(options))
  const node = await Node.open({ severalSessions: true, tellErrors: false })
  t.after(() => node.close(100))
  await refuses('ipv6Only', (options) => node.listen('tcp://127.0.0.1:0', options))
  await node.listen('tcp://[::1]:0', { ipv6Only: true })
  await refuses('tellErrors', (options) => node.route('news', () => {}, options))
  assert.throws(() => node.unroute('news'), { code: 'state' }, 'what was refused has no handler')
  await refuses('withRequest', (options) => node.expose('call', { it: () => {} }, options))
  for (const name of ['publishOnly', 'keepLast', 'wantLast']) await refuses(name, (options) => node.join('prices', options))
  await node.join('prices', { publishOnly: false, keepLast: true, wantLast: undefined })
})

test('so are those of messages and parts', async (t) => {
  const { peer } = await pair(t, {
    routes: { news: () => {}, file: ({ parts: [part] }) => refuses('unchecked', (options) => part.save('/nowhere', options)) },
  })
  await refuses('uuid', (options) => peer.send('news', 'x', options))
  await refuses('uuid', (options) => peer.send('news', 'x', { ...options, metadata: { a: 'b' } }))
  for (const receipt of ['yes', '', 1, 0, null, {}]) {
    await assert.rejects(peer.send('news', 'x', { receipt }), { code: 'argument', detail: /^receipt is true, false, / }, JSON.stringify(receipt))
    await assert.rejects(peer.send('news', 'x', { receipt, metadata: { a: 'b' } }), { code: 'argument', detail: /^receipt is true, false, / })
  }
  for (const receipt of [undefined, false, true, 'acknowledged', 'written']) await peer.send('news', 'x', { receipt, uuid: false })
  assert.match(await peer.send('news', 'x', { uuid: true }), /^[0-9a-f-]{36}$/)
  await peer.request('file', undefined, { parts: [{ source: 'bytes' }] })
})
