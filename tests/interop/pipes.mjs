// A session over standard input and output: `pipes.mjs serve` accepts there, `pipes.mjs ask` dials; see pipes_test.py.
import { Identity, Node } from 'sealwire'

const serves = process.argv[2] === 'serve'
const identity = Identity.fromSeed(new Uint8Array(32).fill(7))
const node = await Node.open({ network: 'pipes', allow: 'anyone', identity: serves ? identity : undefined })
node.route('echo', (request) => request.body)
const stream = { readable: process.stdin, writable: process.stdout }
if (serves) {
  const peer = await node.acceptPipe(stream)
  await peer.closed
} else {
  const peer = await node.connectPipe(identity.id, stream)
  let compared = 0
  for (let size = 1; size <= 1_000_000; size *= 10) {
    const body = Buffer.alloc(size, size % 251)
    if (body.equals((await peer.request('echo', body)).body)) compared++
  }
  await peer.close()
  console.error(`compared ${compared}`)
}
await node.close()
