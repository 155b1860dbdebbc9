// How long the process lives, worker threads, and what the garbage collector gets.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { Node } from 'sealwire'
import { nextLine, pair, program } from './support.mjs'

const PROMPT = 5000 // ms; a process that hangs lives until the suite's end

async function ends({ exit }) {
  const start = performance.now()
  const result = await exit
  assert.deepEqual(result, { code: 0, signal: null, errors: '' })
  assert.ok(performance.now() - start < PROMPT)
}

async function server(t) {
  const node = await Node.open({ network: 'tests', allow: 'anyone' })
  t.after(() => node.close(100))
  return { node, ticket: (await node.listen('tcp://127.0.0.1:0')).ticket }
}

const start = "import { Node } from 'sealwire'\nconst node = await Node.open({ network: 'tests', allow: 'anyone' })\n"

test('process: an open node does not hold it', () => ends(program(start)))

test('process: an idle peer does not hold it', async (t) => {
  const { ticket } = await server(t)
  await ends(program(`${start}await node.connect(process.argv[2])`, [ticket]))
})

test('process: a peer with ref() holds it until unref()', async (t) => {
  const { node, ticket } = await server(t)
  const child = program(`${start}let peer
    node.route('alive', () => 'yes')
    node.route('let go', () => { peer.unref() })
    peer = await node.connect(process.argv[2])
    peer.ref()`, [ticket])
  const peer = await new Promise((resolve) => node.once('peer', resolve))
  assert.equal((await peer.request('alive')).text(), 'yes')
  await peer.request('let go')
  await ends(child)
})

test('process: a pending request holds it', async (t) => {
  const { node, ticket } = await server(t)
  let answer
  const asked = new Promise((resolve) => node.route('ask', () => new Promise((reply) => { answer = reply; resolve() })))
  const child = program(`${start}const peer = await node.connect(process.argv[2])
    console.log((await peer.request('ask')).text())`, [ticket])
  await asked
  answer('at last')
  assert.equal(await nextLine(child.lines), 'at last')
  await ends(child)
})

test('process: a listener holds it until it is closed', async (t) => {
  const child = program(`${start}const listener = await node.listen('tcp://127.0.0.1:0')
    node.route('stop', () => { listener.close() })
    console.log(listener.ticket)`)
  const { node } = await server(t)
  const peer = await node.connect(await nextLine(child.lines))
  await peer.request('stop')
  await ends(child)
})

test('process: a listener with unref() does not hold it', () =>
  ends(program(`${start}const listener = await node.listen('tcp://127.0.0.1:0')\nlistener.unref()`)))

test('process: exit with open connections is prompt, and the peers are told', async (t) => {
  const { node, ticket } = await server(t)
  node.route('wait', () => new Promise(() => {}))
  const reason = new Promise((resolve) => node.once('peer', (peer) => peer.once('close', resolve)))
  const child = program(`${start}const peer = await node.connect(process.argv[2])
    await node.listen('tcp://127.0.0.1:0')
    peer.request('wait')
    peer.send('wait', 'x'.repeat(1000), { receipt: true })
    await peer.ping()
    process.exit(0)`, [ticket])
  await ends(child)
  // Under a sanitizer the tenth of a second that an exit may take is not always enough to say so.
  const told = process.env.SEALWIRE_SANITIZED ? ['peer_closed', 'truncated'] : ['peer_closed']
  assert.ok(told.includes((await reason).code), (await reason).code)
})

test('process: close with a name lookup under way is prompt', async () => {
  await ends(program(`${start}const failed = node.connect('tcp://no.such.host.invalid:9#' + 'a'.repeat(52)).catch(() => {})
    await node.close(100)
    await failed`.replace("'a'.repeat(52)", "(await Node.open()).id")))
})

const inWorker = (body) => `import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
  import { Node } from 'sealwire'
  const once = (data) => new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: data })
    worker.on('error', reject)
    worker.on('message', (message) => { if (message === 'terminate') worker.terminate() })
    worker.on('exit', resolve)
  })
  if (isMainThread) {
    const node = await Node.open({ network: 'tests', allow: 'anyone' })
    node.route('echo', (request) => request.body)
    const listener = await node.listen('tcp://127.0.0.1:0')
    for (let i = 0; i < 3; i++) await once(listener.ticket)
    await node.close(100)
    console.log('closed')
  } else {
    const node = await Node.open({ network: 'tests', allow: 'anyone' })
    await node.listen('tcp://127.0.0.1:0')
    const peer = await node.connect(workerData)
    if ((await peer.request('echo', 'hello')).text() !== 'hello') throw new Error('no echo')
    ${body}
  }`

for (const [name, body] of [['process.exit()', 'process.exit()'], ['terminate()', "parentPort.postMessage('terminate')"],
  ['close()', 'await node.close(100)']]) {
  test(`worker: it ends cleanly with open nodes, by ${name}`, async () => {
    const child = program(inWorker(body))
    assert.equal(await nextLine(child.lines), 'closed')
    await ends(child)
  })
}

test('two workers talk to each other', async () => {
  const child = program(`import { Worker, isMainThread, parentPort } from 'node:worker_threads'
    import { Node } from 'sealwire'
    if (isMainThread) {
      const [a, b] = [new Worker(new URL(import.meta.url)), new Worker(new URL(import.meta.url))]
      a.once('message', (ticket) => b.postMessage(ticket))
      b.on('message', (message) => { if (!message.includes('#')) { console.log(message); a.postMessage('stop'); } })
    } else {
      const node = await Node.open({ network: 'tests', allow: 'anyone' })
      node.route('echo', (request) => request.body)
      parentPort.once('message', async (ticket) => {
        if (ticket !== 'stop') {
          const peer = await node.connect(ticket)
          parentPort.postMessage((await peer.request('echo', 'between workers')).text())
        }
        await node.close(100)
      })
      parentPort.postMessage((await node.listen('tcp://127.0.0.1:0')).ticket)
    }`)
  assert.equal(await nextLine(child.lines), 'between workers')
  await ends(child)
})

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')

// Says when the collector has taken an object; a WeakRef that is looked at would keep it.
const registry = new FinalizationRegistry((watched) => { watched.collected = true })
function watch(object) {
  const watched = { collected: false }
  registry.register(object, watched)
  return watched
}

// Each round lets finalisers and events run.
async function collected(...all) {
  for (let round = 0; round < 200 && !all.every((watched) => watched.collected); round++) {
    gc()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return all.every((watched) => watched.collected)
}

test('gc: a dropped node is collected and shut down', async () => {
  const dropped = await (async () => watch(await Node.open()))()
  assert.ok(await collected(dropped))
})

test('gc: a node that listens or has a peer is not collected', async (t) => {
  const [listening, ticket] = await (async () => {
    const node = await Node.open({ network: 'tests', allow: 'anyone' })
    node.route('echo', (request) => request.body)
    const listener = await node.listen('tcp://127.0.0.1:0')
    node.route('close', () => { listener.close() })
    return [watch(node), listener.ticket]
  })()
  const peer = await (async () => {
    const client = await Node.open({ network: 'tests' })
    return client.connect(ticket)
  })()
  t.after(() => peer.close())
  assert.ok(!(await collected(listening)))
  assert.equal((await peer.request('echo', 'still here')).text(), 'still here')
  await peer.request('close')
})

test('a call on a node that closes is closed, and handle from its last event on', async (t) => {
  const { server } = await pair(t)
  const listener = await server.listen('tcp://127.0.0.1:0')
  const node = await Node.open({ network: 'tests' })
  const closing = node.close()
  await assert.rejects(async () => node.connect(listener.ticket), { code: 'closed' })
  await closing
  await assert.rejects(async () => node.connect(listener.ticket), { code: 'handle' })
})

test('gc: requests, replies, closed peers and closed nodes are collected', async (t) => {
  const watched = []
  const { peer, server } = await pair(t, { routes: { echo: (request) => { watched.push(watch(request)); return request.body } } })
  await (async () => {
    for (let i = 0; i < 10; i++) watched.push(watch(await peer.request('echo', 'x'.repeat(20_000))))
  })()
  await (async () => {
    const other = await Node.open({ network: 'tests', allow: 'anyone' })
    const listener = await other.listen('tcp://127.0.0.1:0')
    const closed = await server.connect(listener.ticket)
    await closed.close()
    await other.close(100)
    watched.push(watch(closed), watch(other), watch(listener))
  })()
  assert.equal(watched.length, 23)
  assert.ok(await collected(...watched))
})

test('what is called after a peer or its node was closed says so', async (t) => {
  const { client, peer } = await pair(t)
  const wrong = { name: 'ClosedError', code: 'handle' }
  await peer.close()
  await assert.rejects(peer.request('echo'), { ...wrong, detail: 'the peer was closed' })
  assert.throws(() => peer.trySend('echo'), wrong)
  const other = await pair(t)
  await other.client.close()
  await assert.rejects(other.peer.request('echo'), { ...wrong, detail: 'the node was closed' })
  await client.close()
})
