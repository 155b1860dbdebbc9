// WebSocket: a node behind a web port, which answers HTTP as well; wss:// is the same with `tls`, as in tls.mjs.
import { Node } from 'sealwire'

const server = await Node.open({ network: 'example', allow: 'anyone' })
server.route('echo', (request) => request.body)
const listener = await server.listen('ws://127.0.0.1:0/talk', {
  http: { health: '/health', onRequest: ({ query }) => `hello, ${new URLSearchParams(query).get('name')}` },
})
console.log('server: listening on a web port')

const web = listener.address.replace('ws://', 'http://').replace('/talk', '')
for (const path of ['/health', '/hello?name=Ada']) {
  const answer = await fetch(web + path)
  console.log(`web: GET ${path} is ${answer.status}: ${(await answer.text()).trim()}`)
}

const client = await Node.open({ network: 'example' })
const peer = await client.connect(listener.ticket)
const reply = await peer.request('echo', 'over a WebSocket')
console.log(`client: got "${reply.text()}"`)

await client.close()
await server.close()
