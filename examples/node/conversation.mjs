// Conversation: while a request runs, either side asks and is answered.
import { Node } from 'sealwire'

const server = await Node.open({ network: 'example', allow: 'anyone' })
server.route('order', async (request) => {
  const size = (await request.talk.ask('which size?')).text()
  for await (const said of request.talk) { // what the customer wants to know
    said.answer('3')
    break
  }
  return `${request.text()}, ${size}, 3`
})
const listener = await server.listen('tcp://127.0.0.1:0')

const client = await Node.open({ network: 'example' })
const peer = await client.connect(listener.ticket)
const talk = peer.converse('order', 'tea')
for await (const said of talk) { // questions of the handler, and its reply
  if (!said.asks) {
    console.log(`reply: ${said.text()}`)
    continue
  }
  console.log(`asked: ${said.text()}`)
  said.answer('large')
  console.log(`told: ${(await talk.ask('how much is it?')).text()}`)
}
await client.close()
await server.close()
