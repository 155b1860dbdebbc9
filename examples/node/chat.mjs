// Chat: a server relays what is said in a room, which is a route, to the others there.
//   chat.mjs                     a server and three who talk, in one program
//   chat.mjs serve [ADDRESS]     a server; prints its ticket
//   chat.mjs TICKET NAME ROOM    what is typed is said; talks with the programs in C and Python, too
import { once } from 'node:events'
import { createInterface } from 'node:readline'

import { Node } from 'sealwire'

function serve(node) {
  const rooms = new Map() // sets of peers, by name; a peer's name came with its handshake

  node.on('peer', (peer) => peer.on('close', () => {
    for (const [room, members] of rooms) if (members.delete(peer) && members.size === 0) rooms.delete(room)
  }))
  node.route('join', (request) => {
    const members = (rooms.get(request.text()) ?? new Set()).add(request.peer)
    rooms.set(request.text(), members)
    return String(members.size)
  })
  node.route('', (message) => { // every other route is a room
    const text = `${Buffer.from(message.peer.data)}: ${message.text()}`
    for (const peer of rooms.get(message.route) ?? []) {
      if (peer === message.peer) continue
      try {
        peer.trySend(message.route, text) // who does not keep up misses it
      } catch {} // it has gone
    }
  })
}

// Somebody who is connected to the server.
class Person {
  heard = new EventTarget()

  async join(name, ticket, ...rooms) {
    this.node = await Node.open({ network: 'chat' })
    this.node.route('', (message) => {
      console.log(`${name} hears in ${message.route}: ${message.text()}`)
      this.heard.dispatchEvent(new Event('heard'))
    })
    this.peer = await this.node.connect(ticket, { data: Buffer.from(name) })
    for (const room of rooms) {
      console.log(`${name} joins ${room}: ${(await this.peer.request('join', room)).text()} there`)
    }
    return this
  }
}

const listen = async (address) => {
  const node = await Node.open({ network: 'chat', allow: 'anyone' })
  serve(node)
  return [node, (await node.listen(address)).ticket]
}

const [what, name, room] = process.argv.slice(2)
if (room !== undefined) {
  const person = await new Person().join(name, what, room)
  for await (const line of createInterface({ input: process.stdin })) await person.peer.send(room, line, { receipt: true })
  await person.node.close()
} else if (what !== undefined) {
  console.log((await listen(name ?? 'tcp://127.0.0.1:0'))[1]) // until it is interrupted
} else {
  const [server, ticket] = await listen('tcp://127.0.0.1:0')
  const ada = await new Person().join('Ada', ticket, 'tea')
  const bob = await new Person().join('Bob', ticket, 'tea', 'music')
  const eve = await new Person().join('Eve', ticket, 'music')
  for (const [speaker, where, text, listener] of [[ada, 'tea', 'hello', bob], [bob, 'tea', 'hi Ada', ada], [bob, 'music', 'a song?', eve]]) {
    const heard = once(listener.heard, 'heard')
    await speaker.peer.send(where, text)
    await heard
  }
  for (const person of [ada, bob, eve]) await person.node.close()
  await server.close()
}
