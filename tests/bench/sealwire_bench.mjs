// The peer `sealwire-node`: the npm package sealwire, requests and messages of one route, answered by a plain function; a topic's listener.
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { Pace, Requests, Tally, emit, emitReady, makeMessage, parse, waitEndOfInput } from './bench_common.mjs'

const options = parse()
const { Node } = createRequire(import.meta.url)(join(options.package, 'dist', 'index.js'))

async function serve() {
  const node = await Node.open({ network: 'bench', allow: 'anyone', limits: { exchangeSlots: 512 } })
  const tally = new Tally(options)
  await new Promise((resolve, reject) => {
    node.on('error', reject)
    node.route('bench', (request) => {
      const { body } = request
      if (tally.add(body)) resolve()
      return request.expectsReply ? body : undefined
    })
    node.listen('tcp://127.0.0.1:0').then(({ ticket }) => emitReady(ticket), reject)
  })
  tally.emit()
  await waitEndOfInput()
  await node.close()
}

async function sendOneWay(peer) {
  const pace = new Pace(options)
  let sent = 0
  while (pace.more(sent)) await peer.send('bench', makeMessage(options.size, sent++))
  await peer.send('bench', makeMessage(options.size, sent, true), { receipt: true })
  emit({ role: 'client', workload: options.workload, sent, lost: 0 })
}

async function request(peer) {
  await peer.request('bench', makeMessage(options.size, 0)) // connected before the clock starts
  const requests = new Requests(options)
  await new Promise((resolve, reject) => {
    const next = () => peer.request('bench', requests.next()).then(take, reject)
    const take = (reply) => {
      if (requests.take(reply.body)) next()
      else if (requests.received === requests.sent) resolve()
    }
    for (let i = 0; i < requests.first; i++) next()
  })
  const elapsedMs = performance.now() - requests.pace.start
  await peer.request('bench', makeMessage(options.size, requests.sent + 1, true))
  requests.emit(elapsedMs)
}

async function subscribe(node) {
  const tally = new Tally(options)
  const topic = (await node.join('bench')).ref()
  await new Promise((resolve) => topic.on('message', ({ body }) => tally.add(body) && resolve()))
  tally.emitDeliveries()
}

if (options.role === 'server') {
  await serve()
} else {
  const node = await Node.open({ network: 'bench' })
  const peer = await node.connect(options.address)
  await (options.kind === 3 ? sendOneWay(peer) : options.kind === 5 ? subscribe(node) : request(peer))
  await node.close()
}
