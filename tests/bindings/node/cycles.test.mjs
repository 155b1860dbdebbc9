// What is created and dropped ten thousand times, and what is open when the process exits, leaves nothing behind.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { nextLine, program } from './support.mjs'

const exitMs = process.env.SEALWIRE_SANITIZED ? 30_000 : 1000
const times = process.env.SEALWIRE_SANITIZED ? 1_000 : 10_000 // threads that race each other: a tenth, as in tests/support/scale.h

const cycles = `import { readdirSync } from 'node:fs'
  import { Node } from 'sealwire'
  const count = (what) => readdirSync('/proc/self/' + what).length
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const until = async (condition) => { while (!condition()) await turn() }
  const server = await Node.open({ allow: 'anyone' })
  server.route('x', (request) => request.body)
  const { ticket } = await server.listen('tcp://127.0.0.1:0')
  const peers = new Set()
  server.on('peer', (peer) => { peers.add(peer); peer.on('close', () => peers.delete(peer)) })
  async function cycle(number) {
    const node = await Node.open()
    node.route('x', () => 'x')
    if (number % 50) return
    const peer = await node.connect(ticket)
    await peer.request('x', 'once')
    await peer.close()
  }
  await cycle(0)
  const [threads, files] = [count('task'), count('fd')]
  for (let number = 1; number <= ${times}; number++) {
    await cycle(number)
    if (number % 20) continue
    await turn()
    gc()
    await until(() => count('task') < threads + 200) // they end by themselves
  }
  await turn()
  await until(() => { gc(); return peers.size === 0 && count('task') <= threads && count('fd') <= files })
  console.log('nothing is left')
  await server.close(100)`

test('gc: nodes that are dropped end with their threads and descriptors', async () => {
  const child = program(cycles, [], ['--expose-gc'])
  assert.equal(await nextLine(child.lines), 'nothing is left')
  assert.deepEqual(await child.exit, { code: 0, signal: null, errors: '' })
})

const open = `import { Node } from 'sealwire'
  const server = await Node.open({ allow: 'anyone' })
  let started = 0
  const all = new Promise((resolve) => server.route('forever', () => new Promise(() => { if (++started === 100) resolve() })))
  const { ticket } = await server.listen('tcp://127.0.0.1:0')
  const nodes = await Promise.all(Array.from({ length: 100 }, () => Node.open()))
  const peers = await Promise.all(nodes.map((node) => node.connect(ticket, { timeout: 60_000 })))
  for (const peer of peers) peer.request('forever').catch(() => {})
  await all
  console.log(Date.now())
  process.exit(0)`

for (let run = 1; run <= 5; run++) {
  test(`process: exit with a hundred open connections is prompt: ${run}`, async () => {
    const child = program(open)
    const began = Number(await nextLine(child.lines))
    assert.deepEqual(await child.exit, { code: 0, signal: null, errors: '' })
    assert.ok(Date.now() - began < exitMs)
  })
}
