// Presence: who has joined a topic, and who comes and goes; here nothing is published at all.
import { Node } from 'sealwire'

const name = (member) => Buffer.from(member.peer.data).toString() // which came with its handshake

const server = await Node.open({ network: 'example', allow: 'anyone' })
const { ticket } = await server.listen('tcp://127.0.0.1:0')
const room = await server.join('room')
let told = () => {}

function tell(what) {
  console.log(`${what}: ${room.members.map(name).sort().join(', ') || 'nobody'}`)
  told()
}

// Does something that changes who is there, until the server has told of it.
async function change(action) {
  const change = new Promise((resolve) => (told = resolve))
  const result = await action()
  await change
  return result
}

room.on('joined', (member) => tell(`${name(member)} is here`))
room.on('left', (member) => tell(`${name(member)} has gone`))

const ada = await Node.open({ network: 'example' })
const bob = await Node.open({ network: 'example' })
await ada.connect(ticket, { data: Buffer.from('Ada') })
await bob.connect(ticket, { data: Buffer.from('Bob') })
const hers = await change(() => ada.join('room'))
const his = await change(() => bob.join('room'))
for (const member of his.members) console.log(`Bob sees ${member.id === server.id ? 'the server' : member.id}`) // those that he is connected with
await change(() => hers.leave())
await change(() => ada.join('room'))
for (const node of [bob, ada]) await change(() => node.close())
await server.close()
