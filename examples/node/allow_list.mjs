// Allow-list: a server lets the keys on its list in, and decides about others when they ask.
import { Identity, Node, SealwireError, Status } from 'sealwire'

const friend = Identity.generate()
const server = await Node.open({
  network: 'example',
  allow: [friend.id],
  onAsk: async (ask) => {
    const word = Buffer.from(ask.data).toString()
    if (word === 'tomorrow') return new Status(77, 'come back tomorrow')
    return word === 'please'
  },
})
const listener = await server.listen('tcp://127.0.0.1:0')

async function come(name, options, word) {
  const client = await Node.open({ network: 'example', ...options })
  try {
    await client.connect(listener.ticket, { data: Buffer.from(word) })
    console.log(`${name}: connected`)
  } catch (error) {
    if (!(error instanceof SealwireError)) throw error
    console.log(`${name}: ${error.code === 'rejected' ? `rejected, ${error.status}, ${error.text}` : error.code}`)
  } finally {
    await client.close()
  }
}

await come('friend', { identity: friend }, '')
await come('guest', {}, 'please')
await come('stranger', {}, '')
await come('early bird', {}, 'tomorrow')
await server.close()
