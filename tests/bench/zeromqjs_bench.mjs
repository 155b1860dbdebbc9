// The peers `zeromqjs` and `zeromqjs-curve`: the npm package zeromq with the sockets and patterns of zmq_bench.c.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as zmq from 'zeromq'

import { Pace, Requests, Tally, emit, emitReady, makeMessage, parse, waitEndOfInput } from './bench_common.mjs'

const options = parse()
const keyFile = () => join(options.state, 'curve.pub')
const limit = Math.max(1000, options.outstanding * 2) // messages; never to be reached by requests
const send = { sendHighWaterMark: limit }
const receive = { receiveHighWaterMark: limit }

async function bind() {
  const socket = options.kind === 3 ? new zmq.Pull(receive) : new zmq.Router({ ...send, ...receive })
  if (options.curve) {
    const { publicKey, secretKey } = zmq.curveKeyPair()
    socket.curveServer = true
    socket.curveSecretKey = secretKey
    writeFileSync(keyFile(), publicKey)
  }
  await socket.bind('tcp://127.0.0.1:*')
  emitReady(socket.lastEndpoint)
  return socket
}

function connect() {
  const socket = options.kind === 3 ? new zmq.Push(send) : new zmq.Dealer({ ...send, ...receive })
  if (options.curve) {
    const { publicKey, secretKey } = zmq.curveKeyPair()
    socket.curvePublicKey = publicKey
    socket.curveSecretKey = secretKey
    socket.curveServerKey = readFileSync(keyFile(), 'utf8')
  }
  socket.connect(options.address)
  return socket
}

async function serve() {
  const socket = await bind()
  const tally = new Tally(options)
  if (options.kind === 3) {
    for await (const [message] of socket) if (tally.add(message)) break
  } else {
    for await (const [identity, message] of socket) {
      const last = tally.add(message)
      await socket.send([identity, message])
      if (last) break
    }
  }
  tally.emit()
  await waitEndOfInput()
  socket.close()
}

async function sendOneWay(socket) {
  const pace = new Pace(options)
  let sent = 0
  while (pace.more(sent)) await socket.send(makeMessage(options.size, sent++))
  await socket.send(makeMessage(options.size, sent, true))
  emit({ role: 'client', workload: options.workload, sent, lost: 0 })
}

async function request(socket) {
  await socket.send(makeMessage(options.size, 0)) // connected before the clock starts
  await socket.receive()
  const requests = new Requests(options)
  for (let i = 0; i < requests.first; i++) await socket.send(requests.next())
  while (requests.received < requests.sent) {
    const [reply] = await socket.receive()
    if (requests.take(reply)) await socket.send(requests.next())
  }
  const elapsedMs = performance.now() - requests.pace.start
  await socket.send(makeMessage(options.size, requests.sent + 1, true))
  await socket.receive()
  requests.emit(elapsedMs)
}

if (options.role === 'server') {
  await serve()
} else {
  const socket = connect()
  await (options.kind === 3 ? sendOneWay : request)(socket)
  socket.close()
}
