// A topic that is shared with a program of another language: topics.mjs [TICKET]
import { encode, Node } from 'sealwire'

const bodies = [
  encode('text: Grüße', 'utf8'), encode({ two: [2, null] }, 'json'), encode(Buffer.from([0, 255, 32, 98]), 'bytes'), encode(Buffer.alloc(0), 'bytes'),
  encode(Buffer.from('large'.repeat(20_000)), 'bytes'), encode({ one: 1 }, 'messagepack'),
]

async function serve(node) {
  const topic = await node.join('pairs', { keepLast: true })
  await topic.publish('kept')
  console.log((await node.listen('tcp://127.0.0.1:0')).ticket)
  for await (const message of topic) await topic.publish(encode(message.decode(), message.type), { to: message.peer })
}

async function compare(node) {
  const peer = await node.connect(process.argv[2])
  const topic = await node.join('pairs', { wantLast: true })
  const next = async () => (await topic[Symbol.asyncIterator]().next()).value
  const members = topic.members.map(({ id, publisher }) => `${id} ${publisher}`)
  if (members.join() !== `${peer.id} false`) console.log(`members: ${members}`)
  const kept = await next()
  if (kept.text() !== 'kept' || kept.type !== 'utf8' || !kept.lastValue || kept.peer !== peer) console.log(`the last value: ${kept.text()}`)
  for (const body of bodies) {
    if ((await topic.publish(body)) !== 1) console.log('not for one member')
    const back = await next()
    if (!Buffer.from(body.bytes).equals(back.body) || encode(back.decode(), back.type).bodyType !== body.bodyType || back.dropped !== 0 || back.lastValue) {
      console.log(`${back.type} ${back.body.length} bytes in place of ${body.bodyType} ${body.bytes.length}`)
    }
  }
  await topic.leave()
  console.log(`compared ${bodies.length + 2}`)
}

const node = await Node.open({ network: 'topics', allow: 'anyone' })
await (process.argv.length > 2 ? compare : serve)(node)
await node.close()
