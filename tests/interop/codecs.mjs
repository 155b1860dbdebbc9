// Each value of the table, in each encoding, against a program of another language: codecs.mjs [TICKET]
import { isDeepStrictEqual } from 'node:util'

import { encode, Node, Status } from 'sealwire'

const texts = { 'empty text': '', 'text of many alphabets': 'é漢\u{1f600}\0"\\', 'long text': 'long'.repeat(100) }
const bytes = { 'empty bytes': Buffer.alloc(0), bytes: Buffer.from([0, 255, 128]), 'many bytes': Buffer.from('ab'.repeat(35000)) }
const ints = (...list) => Object.fromEntries(list.map((n) => [`int ${n}`, n]))
const json = {
  null: null, true: true, false: false, list: [], map: {}, ...texts,
  ...ints(0, 1, -1, 127, 128, 255, 256, -32, -33, -128, -129, 32767, 32768, 65535, 65536, -32768, -32769, 2 ** 31 - 1, 2 ** 31,
    2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 53 - 1)),
  'float 1.5': 1.5, 'float -0.1': -0.1, 'float 1e+300': 1e300, 'float 5e-324': 5e-324,
  nested: { a: [1, [2, [3, { b: { c: [null, true, 'x'] } }]]], '': { k: {} }, é: -1.25 },
  'long list': [...Array(70000).keys()],
}
const binary = {
  ...json, ...bytes,
  ...ints(2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 53n), -(2n ** 53n) - 1n, -(2n ** 63n)),
  infinity: Infinity, 'minus infinity': -Infinity, nan: NaN,
  'nested bytes': { a: [Buffer.from([0]), { b: Buffer.from([255]) }], i: [2n ** 63n, { n: -(2n ** 63n) }] },
}
const table = { bytes, utf8: texts, json, messagepack: binary, cbor: binary }

// Buffers and other Uint8Arrays are the same here.
function comparable(value) {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return value.map(comparable)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, comparable(one)]))
}
const same = (a, b) => isDeepStrictEqual(comparable(a), comparable(b))

const node = await Node.open({ network: 'codecs', allow: 'anyone' })
node.route('', (request) => {
  const mine = table[request.type][request.route]
  if (!same(mine, request.decode())) throw new Status(64, String(request.decode()).slice(0, 200))
  return encode(mine, request.type)
})
const ticket = process.argv[2]
if (ticket) {
  const peer = await node.connect(ticket)
  let count = 0
  for (const [kind, values] of Object.entries(table)) {
    for (const [name, value] of Object.entries(values)) {
      count++
      try {
        const reply = await peer.request(name, encode(value, kind))
        if (reply.type !== kind || !same(value, reply.decode())) console.log(`${kind}, ${name}: ${String(reply.decode()).slice(0, 200)}`)
      } catch (error) {
        console.log(`${kind}, ${name}: ${error}`)
      }
    }
  }
  console.log('compared', count)
  await node.close()
} else {
  console.log((await node.listen('tcp://127.0.0.1:0')).ticket)
}
