// Pubsub: what is published to a topic goes to all who have joined it; the last message also to who joins later and wants it.
import { Node } from 'sealwire'

async function read(name, topic) {
  for await (const message of topic) {
    console.log(`${name} reads: ${message.text()}${message.lastValue ? ', from before' : ''}`)
    break // which leaves the loop, not the topic
  }
}

const station = await Node.open({ network: 'example', allow: 'anyone' })
const ada = await Node.open({ network: 'example' })
const bob = await Node.open({ network: 'example' })
const { ticket } = await station.listen('tcp://127.0.0.1:0')
const weather = await station.join('weather', { keepLast: true })
const left = new Promise((resolve) => weather.on('left', resolve))
const publish = async (text) => console.log(`${text}: for ${await weather.publish(text)}`)

await publish('rain')
await ada.connect(ticket)
await bob.connect(ticket)
const hers = await ada.join('weather', { wantLast: true })
await read('Ada', hers)
await publish('sun')
await read('Ada', hers)
const his = await bob.join('weather')
await publish('wind')
await read('Ada', hers)
await read('Bob', his)
await weather.publish('storm in his street', { filter: (member) => member.id === bob.id })
await read('Bob', his)
await hers.leave()
await left
await publish('night')
await read('Bob', his)
await Promise.all([ada, bob, station].map((node) => node.close()))
