// Reconnect: a session outlives the connection that carries it. Here a line between the two is cut while a request runs.
import { once } from 'node:events'
import net from 'node:net'

import { Node } from 'sealwire'

// Passes bytes on, as a network does, until it is cut.
const ends = new Set()
function openLine(port) {
  return net.createServer((from) => {
    const to = net.connect(port, '127.0.0.1')
    for (const end of [from, to]) ends.add(end.on('error', () => {}))
    from.pipe(to).pipe(from)
  })
}

const server = await Node.open({ network: 'example', allow: 'anyone' })
const client = await Node.open({ network: 'example', limits: { redial: 50 } })
const listener = await server.listen('tcp://127.0.0.1:0')
const line = openLine(Number(listener.address.split(':').pop())).listen(0, '127.0.0.1')
await once(line, 'listening')

const peer = await client.connect(`tcp://127.0.0.1:${line.address().port}#${server.id}`)
console.log('connected')
peer.on('suspended', () => console.log('the connection broke; the session is kept'))
peer.on('connecting', ({ attempt }) => attempt === 1 && console.log('dialling again'))
const resumed = new Promise((resolve) => peer.on('resumed', resolve))
resumed.then(() => console.log('the session goes on'))
server.route('think', async () => {
  for (const end of ends) end.destroy()
  await resumed
  return '42'
})
console.log(`the answer to the request that ran: ${(await peer.request('think')).text()}`)
line.close()
await client.close()
await server.close()
for (const end of ends) end.destroy()
