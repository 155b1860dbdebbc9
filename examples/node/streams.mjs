// Streams: a text goes to a server piece by piece and comes back in capitals, both at once; then a list of replies, left early.
import { Answer, Node, OutStream } from 'sealwire'

const server = await Node.open({ network: 'example', allow: 'anyone' })
server.route('capitals', (request) => new Answer('as you wish', { parts: [{ name: 'capitals', source: capitals(request.parts[0]) }] }))
async function* capitals(part) {
  for await (const piece of part) yield piece.toString().toUpperCase()
}
server.route('squares', function* () {
  for (let n = 1; ; n++) yield n * n
})
const { ticket } = await server.listen('tcp://127.0.0.1:0')

const client = await Node.open({ network: 'example' })
const peer = await client.connect(ticket)

const poem = new OutStream({ name: 'poem' })
const reply = await peer.request('capitals', undefined, { parts: [poem] })
console.log(`the server says: ${reply.text()}`)
const [back] = reply.parts
for (const line of ['roses are red', 'violets are blue']) {
  poem.write(line)
  console.log(`${line} -> ${await back.readExactly(line.length)}`)
}
poem.end()

for await (const square of peer.requestMany('squares')) {
  console.log(`a square: ${square.text()}`)
  if (square.json() > 10) break
}

await Promise.all([client.close(), server.close()])
console.log('closed')
