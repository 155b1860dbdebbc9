// Request: what an answer can be: a body, a bare 'done', a status with words, and no answer in time.
import { Node, SealwireError, Status } from 'sealwire'

const server = await Node.open({ network: 'example', allow: 'anyone' })
server.route('greet', async (request) => ({ hello: request.json().name }))
server.route('ready', () => {})
server.route('order', () => { throw new Status(64, 'sold out') })
server.route('slow', (request) => new Promise((_, reject) => {
  request.signal.addEventListener('abort', () => reject(request.signal.reason)) // at the requester's deadline
}))
const listener = await server.listen('tcp://127.0.0.1:0')

const client = await Node.open({ network: 'example' })
const peer = await client.connect(listener.ticket)

async function ask(route, body, options) {
  try {
    const reply = await peer.request(route, body, options)
    console.log(`${route}: ${reply.hasBody ? reply.text() : 'done'}`)
  } catch (error) {
    if (!(error instanceof SealwireError)) throw error
    console.log(`${route}: ${error.code === 'status' ? `status ${error.status}, ${error.text}` : error.code}`)
  }
}

await ask('greet', { name: 'Ada' })
await ask('ready')
await ask('order')
await ask('slow', undefined, { timeout: 100 })
await ask('unknown')
await client.close()
await server.close()
