// What two applications tell each other with the handshake, and how far their clocks are apart.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Identity, Node, SealwireError } from 'sealwire'
import { eachTransport, errorsOf, nextLine, program } from './support.mjs'

// What the client's application was told, and what the server's was.
async function connected(t, url, serverOptions, clientOptions, options) {
  const server = await Node.open({ allow: 'anyone', ...serverOptions })
  const client = await Node.open(clientOptions)
  t.after(() => Promise.all([server.close(100), client.close(100)]))
  const errors = errorsOf(server)
  const arrived = new Promise((resolve) => server.once('peer', resolve))
  const { ticket } = await server.listen(url)
  try {
    const peer = await client.connect(ticket, options)
    return [text(peer.data), text((await arrived).data), server.id]
  } catch (error) {
    throw Object.assign(error, { errors })
  }
}
const text = (data) => Buffer.from(data).toString()
const later = async (value) => value

for (const [name, url] of eachTransport) {
  test(`${name}: a dialler makes its data for the key that was proved`, async (t) => {
    const seen = []
    const make = (id) => (seen.push(id), Buffer.from('made'))
    for (const data of [make, (id) => later(make(id))]) {
      const [told, said, id] = await connected(t, url(), { data: Buffer.from('welcome') }, {}, { data })
      assert.deepEqual([told, said], ['welcome', 'made'])
      assert.equal(seen.pop(), id)
    }
  })

  test(`${name}: a dialler whose data cannot be made does not connect`, async (t) => {
    const broken = () => { throw new RangeError('nothing to say') }
    for (const data of [broken, async () => broken()]) await assert.rejects(connected(t, url(), {}, {}, { data }), RangeError)
    await assert.rejects(connected(t, url(), {}, {}, { data: () => Buffer.alloc(61441) }), { code: 'too_big' })
    await assert.rejects(connected(t, url(), {}, {}, { data: () => 'a text' }), { code: 'argument' })
    await assert.rejects(connected(t, url(), {}, {}, { data: 'a text' }), { code: 'argument' })
  })

  test(`${name}: a node tells those it lets in what it makes for each`, async (t) => {
    const identity = Identity.generate()
    const seen = []
    const make = (ask) => (seen.push([ask.id, text(ask.data), ask.allowed]), Buffer.from(`for ${text(ask.data)}`))
    for (const [options, allowed] of [[{}, true], [{ allow: [identity.id] }, true], [{ allow: [], onAsk: () => true }, false]]) {
      for (const data of [make, (ask) => later(make(ask))]) {
        const told = await connected(t, url(), { ...options, data }, { identity }, { data: Buffer.from('Ada') })
        assert.deepEqual(told.slice(0, 2), ['for Ada', 'Ada'])
        assert.deepEqual(seen.pop(), [identity.id, 'Ada', allowed])
      }
    }
    const [told] = await connected(t, url(), { allow: [], onAsk: () => ({ data: Buffer.from('by decision') }), data: make })
    assert.deepEqual([told, seen], ['by decision', []])
    await assert.rejects(connected(t, url(), { allow: [], data: make }), { code: 'not_allowed' })
    assert.deepEqual(seen, [])
  })

  test(`${name}: what a node cannot make refuses its peer`, async (t) => {
    for (const data of [() => { throw new Error('a bug') }, async () => { throw new Error('a bug') }, () => 'a text', () => Buffer.alloc(61441)]) {
      await assert.rejects(connected(t, url(), { data }), (error) => {
        assert.equal(error.code, 'not_allowed')
        return assert.equal(error.errors.length, 1) ?? true
      })
    }
    await assert.rejects(Node.open({ data: 'a text' }), SealwireError)
  })

  test(`${name}: data are taken up to a limit`, async (t) => {
    const x = (count) => Buffer.alloc(count, 'x')
    const sizes = async (...args) => (await connected(t, url(), ...args)).slice(0, 2).map((one) => one.length)
    assert.deepEqual(await sizes({ data: x(2048) }, {}, { data: x(2048) }), [2048, 2048])
    await assert.rejects(sizes({}, {}, { data: x(2049) }), { code: 'too_big' })
    await assert.rejects(sizes({ data: x(2049) }, {}, {}), { code: 'too_big' })
    const limits = { applicationDataBytes: 61440 }
    assert.deepEqual(await sizes({ data: x(61440), limits }, { limits }, { data: x(61440) }), [61440, 61440])
    await assert.rejects(Node.open({ limits: { applicationDataBytes: 61441 } }), { code: 'argument' })
  })
}

const ahead = `
  import { Node } from 'sealwire'
  const node = await Node.open({ allow: 'anyone' })
  node.on('peer', async (peer) => {
    console.log(peer.clockDifference)
    await peer.closed
    await node.close()
  })
  console.log((await node.listen('tcp://127.0.0.1:0')).ticket)
`
const library = process.env.SEALWIRE_SHIFTED_CLOCK
const skip = !library || process.env.SEALWIRE_SANITIZED ? 'needs the library that shifts a clock, loaded first' : false

test('each side learns how far the clock of the other is ahead', { skip }, async (t) => {
  const { lines, exit } = program(ahead, [], [], { SHIFTED_CLOCK_S: '1000', LD_PRELOAD: library })
  const client = await Node.open()
  t.after(() => client.close(100))
  const peer = await client.connect(await nextLine(lines))
  assert.ok(Math.abs(peer.clockDifference - 1e6) < 1e4)
  assert.ok(Math.abs(Number(await nextLine(lines)) + 1e6) < 1e4)
  await peer.close()
  assert.equal((await exit).code, 0)
})
