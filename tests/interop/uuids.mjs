// The UUIDs of messages, sent and received, against a program of another language: uuids.mjs [TICKET]
import { Node } from 'sealwire'

const node = await Node.open({ network: 'uuids', allow: 'anyone' })
let noted = ''
node.route('note', (request) => void (noted = request.uuid))
node.route('noted', () => noted)
node.route('both', (request) => `${request.uuid} ${request.replyUuid()}`)
const ticket = process.argv[2]
if (ticket) {
  const peer = await node.connect(ticket)
  const own = await peer.send('note', undefined, { uuid: true })
  const told = (await peer.request('noted')).text()
  if (told !== own) console.log(`one-way: ${told} in place of ${own}`)
  const reply = await peer.request('both')
  const both = `${reply.requestUuid} ${reply.uuid}`
  if (reply.text() !== both) console.log(`request and reply: ${reply.text()} in place of ${both}`)
  console.log('compared 3')
  await node.close()
} else {
  console.log((await node.listen('tcp://127.0.0.1:0')).ticket)
}
