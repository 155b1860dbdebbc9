// The demo's peer in Node.js. Its siblings demo.c and demo.py take the same command line and print the same lines.
//
//     demo.mjs server NETWORK KEY ADDRESS ALLOWED-ID...    listens until SIGTERM
//     demo.mjs client NETWORK KEY TICKET JSON-FILE         does everything once
//     demo.mjs stranger NETWORK KEY TICKET                 has a key that the server does not allow
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'

// From node_modules as usual; SEALWIRE_PACKAGE names the folder of a package that is not installed.
const { Node, SealwireError, Status } = createRequire(import.meta.url)(process.env.SEALWIRE_PACKAGE || 'sealwire')

async function server(network, key, address, ...allowed) {
  const node = await Node.open({
    identity: key,
    network,
    allow: allowed,
    // Nobody is told of a peer that is not let in, but the log is.
    log: ({ code, text }) => code === 'not_allowed' && console.log(text),
  })
  node.route('note', (message) => {
    console.log(`received: a message for note: ${message.text()}`)
  })
  node.route('greet', (request) => {
    console.log('replied: to greet, with what the peer sent')
    return { from: 'Node.js', you_sent: request.json() }
  })
  node.route('hurry', () => {
    console.log('answered: hurry with done, at once and without a body')
    return new Status(0)
  })
  node.route('sleep', (request) => new Promise((resolve) => {
    request.signal.addEventListener('abort', () => {
      console.log('abandoned: the request for sleep, whose deadline passed at the peer')
      resolve(undefined) // too late: nobody waits for it
    })
  }))
  node.on('peer', (peer) => {
    console.log(`connected: the peer proved that it is ${peer.id}`)
    peer.on('close', (reason) => {
      const orderly = reason === undefined || reason.code === 'peer_closed'
      console.log(orderly ? 'closed: the peer ended the connection in good order' : `lost: ${reason.code}`)
    })
  })
  const listener = await node.listen(address)
  console.log(`listening: others connect to me with ${listener.ticket}`)
  await new Promise((resolve) => {
    process.once('SIGTERM', resolve)
    process.once('SIGINT', resolve)
  })
  await node.close()
  console.log('stopped: all is closed')
}

async function talk(peer, file) {
  await peer.send('note', 'remember the milk')
  console.log('sent: a message for note')

  const reply = await peer.request('greet', JSON.parse(await readFile(file, 'utf8')))
  console.log(`requested: greet, with the JSON of a file; the reply is ${JSON.stringify(reply.json())}`)

  const hurried = await peer.request('hurry')
  console.log(hurried.hasBody ? 'fast reply: but it has a body' : 'fast reply: hurry is done, said at once and without a body')

  try {
    await peer.request('sleep', undefined, { timeout: 200 })
    console.log('deadline: but a reply for sleep came')
  } catch (error) {
    if (!(error instanceof SealwireError)) throw error
    console.log(`deadline: no reply for sleep came within 200 ms: ${error.code}`)
  }

  await peer.close()
  console.log('closed: the connection, in good order')
}

async function client(network, key, ticket, file) {
  const node = await Node.open({ identity: key, network })
  try {
    const peer = await node.connect(ticket)
    console.log(`connected: the peer proved that it is ${peer.id}`)
    await talk(peer, file)
  } catch (error) {
    if (error?.code !== 'not_allowed') throw error
    console.log(`refused: ${error.code}, the peer does not allow this key`)
  } finally {
    await node.close()
  }
}

const [role, ...words] = process.argv.slice(2)
const roles = { server, client, stranger: client }
if (!roles[role]) {
  console.error('demo.mjs server NETWORK KEY ADDRESS ALLOWED-ID... | client NETWORK KEY TICKET JSON-FILE | stranger NETWORK KEY TICKET')
  process.exitCode = 2
} else {
  await roles[role](...words)
}
