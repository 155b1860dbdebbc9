// Chat: who is in a room, which is a topic, hears what is said there; all meet at a hub, and nobody is connected to another.
//   chat.mjs                              a hub and three who talk, in one program
//   chat.mjs hub [ADDRESS]                a hub; prints its ticket
//   chat.mjs TICKET NAME ROOM [SECRET]    what is typed is said; talks with the programs in C and Python, too. With the room's secret, at
//                                         least 12 bytes, the hub reads nothing, and each line has the id that it is signed by
// Messages are "hello NAME", which each who is there answers by "here ITS-NAME: NAME", "say NAME: WORDS" and "bye NAME".
import { once } from 'node:events'
import { createInterface } from 'node:readline'

import { Node, SealwireError, ticket, topicSecret } from 'sealwire'

const usage = 'usage: chat.mjs | chat.mjs hub [ADDRESS] | chat.mjs TICKET NAME ROOM [SECRET]'

function fail(why, status = 1) {
  console.error(why)
  process.exit(status)
}

// Somebody who is at the hub.
async function arrive(name, to) {
  const node = await Node.open({ network: 'chat', hubs: [ticket.split(to).id] }) // that is trusted to pass on messages
  const peer = await node.connect(to)
  peer.on('suspended', () => console.error('the hub is out of reach'))
  peer.on('resumed', () => console.error('the hub is back'))
  return { name, node, peer }
}

async function depart({ node }) {
  const { notSent, outcomeUnknown } = await node.close()
  if (notSent + outcomeUnknown > 0) fail(`${notSent + outcomeUnknown} of what was said may not have come`)
}

class Room extends EventTarget {
  constructor(who, name) {
    super()
    Object.assign(this, { who, name })
  }

  async enter(passphrase) {
    const secret = passphrase && (await topicSecret.fromPassphrase(passphrase, this.name))
    this.topic = await this.who.node.join(this.name, { secret }) // all who are there hear what is said from now on
    console.log(`[${this.who.name}, ${this.name}] you are here`)
    this.topic.on('message', (message) => this.hear(message, secret ? `${message.publisher.slice(0, 8)} ` : ''))
    await this.put('hello')
  }

  put(what, words) {
    return this.topic.publish(`${what} ${this.who.name}${words === undefined ? '' : `: ${words}`}`)
  }

  async hear(message, by) {
    const [, kind, rest] = /^(\w+) (.*)$/s.exec(message.text()) ?? []
    const end = `: ${this.who.name}`
    if (kind === 'say') this.tell(by + rest)
    else if (kind === 'here' && rest.endsWith(end)) this.tell(`${by}${rest.slice(0, -end.length)} is here`)
    else if (kind === 'bye') this.tell(`${by}${rest} has gone`)
    else if (kind === 'hello') {
      this.tell(`${by}${rest} has come`)
      await this.put('here', rest)
    }
  }

  tell(words) {
    console.log(`[${this.who.name}, ${this.name}] ${words}`)
    this.dispatchEvent(new Event('told'))
  }

  async leave() {
    await this.put('bye')
    await this.topic.leave()
  }
}

const listen = async (address) => {
  const node = await Node.open({ network: 'chat', allow: 'anyone', hub: true })
  return [node, (await node.listen(address)).ticket]
}

async function talk(to, name, where, secret) {
  const person = await arrive(name, to)
  const room = new Room(person, where)
  await room.enter(secret)
  const lines = createInterface({ input: process.stdin })
  person.peer.on('close', () => lines.close())
  for await (const line of lines) await room.put('say', line)
  if (person.peer.reason) fail(`the hub has gone: ${person.peer.reason.message}`)
  await room.leave()
  await depart(person)
}

async function everybody() {
  const [hub, to] = await listen('tcp://127.0.0.1:0')
  const [ada, bob, eve] = [await arrive('Ada', to), await arrive('Bob', to), await arrive('Eve', to)]
  const [tea, hisTea, music, herMusic] = [new Room(ada, 'tea'), new Room(bob, 'tea'), new Room(bob, 'music'), new Room(eve, 'music')]
  for (const [one, other] of [[tea, hisTea], [music, herMusic]]) {
    await one.enter()
    const told = [once(one, 'told'), once(other, 'told')] // that the other has come, and that this one is here
    await other.enter()
    await Promise.all(told)
  }
  for (const [speaker, words, listener] of [[tea, 'hello', hisTea], [hisTea, 'hi Ada', tea], [music, 'a song?', herMusic]]) {
    const told = once(listener, 'told')
    await speaker.put('say', words)
    await told
  }
  for (const [room, listener] of [[tea, hisTea], [music, herMusic]]) {
    const told = once(listener, 'told')
    await room.leave()
    await told
  }
  for (const person of [ada, bob, eve]) await depart(person)
  await hub.close()
}

const words = process.argv.slice(2)
try {
  if (words.length === 3 || words.length === 4) await talk(...words)
  else if (words.length > 2 || (words.length > 0 && words[0] !== 'hub')) fail(`these are not its arguments\n${usage}`, 2)
  else if (words.length > 0) console.log((await listen(words[1] ?? 'tcp://127.0.0.1:0'))[1]) // until it is interrupted
  else await everybody()
} catch (error) {
  if (!(error instanceof SealwireError)) throw error
  if (['argument', 'address', 'key'].includes(error.code)) fail(`${error.message}\n${usage}`, 2)
  fail(error.message)
}
