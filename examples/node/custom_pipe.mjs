// Custom pipe: a session over bytes that the program carries itself, here through two streams in memory. A child's standard streams, an SSH
// channel or a serial port take their place as they are.
import { PassThrough } from 'node:stream'

import { Node } from 'sealwire'

const there = new PassThrough()
const back = new PassThrough()
const server = await Node.open({ network: 'example', allow: 'anyone' })
server.route('echo', (request) => request.body)

const accepting = server.acceptPipe({ readable: there, writable: back }, { address: 'pipe:server' })
const client = await Node.open({ network: 'example' })
const peer = await client.connectPipe(server.id, { readable: back, writable: there }, { address: 'pipe:client' })
console.log(`connected over ${peer.address}`)
const accepted = await accepting
console.log(`accepted over ${accepted.address}`)
console.log(`echo: ${(await peer.request('echo', 'through two pipes')).text()}`)
const large = await peer.request('echo', Buffer.alloc(1_000_000))
console.log(`${large.body.length} bytes went there and back`)
await peer.close()
const reason = await accepted.closed
console.log(!reason || reason.code === 'peer_closed' ? 'closed in good order' : 'broken off')
await client.close()
await server.close()
