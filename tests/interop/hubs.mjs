// Two nodes that publish to each other over a hub of another language: hubs.mjs [TICKET OF THE HUB]
import { encode, Node, ticket as tickets, topicSecret } from 'sealwire'

const bodies = [
  encode('text: Grüße', 'utf8'), encode({ two: [2, null] }, 'json'), encode(Buffer.from([0, 255, 32, 98]), 'bytes'), encode(Buffer.alloc(0), 'bytes'),
  encode(Buffer.from('large'.repeat(20_000)), 'bytes'), encode({ one: 1 }, 'messagepack'),
]

async function serve() {
  const hub = await Node.open({ network: 'hubs', allow: 'anyone', hub: true })
  console.log((await hub.listen('tcp://127.0.0.1:0')).ticket)
}

async function compare(ticket) {
  const { id } = tickets.split(ticket)
  const [ada, bob] = [await Node.open({ network: 'hubs', hubs: [id] }), await Node.open({ network: 'hubs', hubs: [id] })]
  for (const node of [ada, bob]) await node.connect(ticket)
  let compared = 0
  for (const secret of [undefined, topicSecret.generate()]) {
    const [there, here] = [await ada.join('pairs', { secret }), await bob.join('pairs', { secret })]
    for (const [from, to, publisher] of [[there, here, ada], [here, there, bob]]) {
      for (const body of bodies) {
        if ((await from.publish(body)) !== 1) console.log('not for the hub alone')
        const { value: got } = await to[Symbol.asyncIterator]().next()
        const same = Buffer.from(body.bytes).equals(got.body) && encode(got.decode(), got.type).bodyType === body.bodyType
        if (!same || got.dropped !== 0 || !got.passedOn) console.log(`${got.type} ${got.body.length} bytes in place of ${body.bodyType} ${body.bytes.length}`)
        if (got.publisher !== (secret ? publisher.id : id)) console.log(`published by ${got.publisher}`)
        compared++
      }
    }
  }
  await Promise.all([ada.close(), bob.close()])
  console.log(`compared ${compared}`)
}

await (process.argv.length > 2 ? compare(process.argv[2]) : serve())
