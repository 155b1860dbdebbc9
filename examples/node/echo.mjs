// Echo: two nodes in one program, one message there and back.
import { Node } from 'sealwire'

const server = await Node.open({ network: 'example', allow: 'anyone' })
server.route('echo', (request) => {
  console.log(`server: echoes ${request.body.length} bytes`)
  return request.body
})
const left = new Promise((resolve) => server.on('peer', (peer) => peer.on('close', resolve)))
const listener = await server.listen('tcp://127.0.0.1:0')
console.log('server: listening')

const client = await Node.open({ network: 'example' })
const peer = await client.connect(listener.ticket)
console.log(`client: connected, the server ${peer.id === server.id ? 'proved' : 'did not prove'} its key`)
const reply = await peer.request('echo', 'hello, world')
console.log(`client: got "${reply.text()}"`)

await client.close()
await left
console.log('server: the client has left')
await server.close()
