// A peer of the Secret Handshake that nobody here wrote: npm's secret-handshake with pull-box-stream, over TCP.
//   node shs.mjs FOLDER server NETWORK SEED KEY       echoes to whoever holds KEY ("any": everyone); prints its port and key
//   node shs.mjs FOLDER client NETWORK SEED PORT KEY SIZE [cut]   sends so many bytes and the end, prints what comes back; cut: without the end
// FOLDER holds their node_modules; networks, seeds and keys are in hexadecimal. Each line printed is JSON.
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import net from 'node:net'
import { resolve } from 'node:path'

const [, , folder, role, network, seed, ...rest] = process.argv
const require = createRequire(resolve(folder, 'package.json'))
const pull = require('pull-stream')
const shs = require('secret-handshake')
const toPull = require('stream-to-pull-stream')

const bytes = (hex) => Buffer.from(hex, 'hex')
const say = (fields) => process.stdout.write(`${JSON.stringify(fields)}\n`)
const keys = shs.toKeys(bytes(seed))
const words = (error) => (error && error !== true ? String(error.message ?? error) : '')

if (role === 'server') {
  const [allowed] = rest
  const authorize = (key, callback) => callback(null, allowed === 'any' || key.toString('hex') === allowed)
  const accept = shs.createServer(keys, authorize, bytes(network), 5000)
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    const stream = toPull.duplex(socket)
    const secure = accept((error, peer) => {
      if (error) return say({ refused: words(error) })
      say({ accepted: peer.remote.toString('hex') })
      let size = 0
      const count = pull.through((data) => (size += data.length), (error) => say({ size, ended: words(error) }))
      pull(peer, count, peer)
    })
    pull(stream, secure, stream)
  })
  server.listen(0, '127.0.0.1', () => say({ port: server.address().port, key: keys.publicKey.toString('hex') }))
  process.stdin.on('end', () => process.exit()).resume()
} else {
  const [port, key, size, cut] = rest
  const data = Buffer.alloc(Number(size), 'abcdefg')
  const dial = shs.createClient(keys, bytes(network), 10_000)
  const socket = net.connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true }, () => {
    const stream = toPull.duplex(socket)
    const secure = dial(bytes(key), (error, peer) => {
      if (error) return say({ failed: words(error) }), process.exit()
      const back = createHash('sha256')
      let count = 0
      const pieces = []
      for (let at = 0; at < data.length; at += 10_000) pieces.push(data.subarray(at, at + 10_000))
      const source = cut ? (abort, callback) => (abort ? callback(abort) : pieces.length > 0 ? callback(null, pieces.shift()) : socket.destroy()) : pull.values(pieces)
      pull(source, peer)
      pull(peer, pull.drain((piece) => (back.update(piece), (count += piece.length)), (error) => {
        say({ size: count, hash: back.digest('hex'), ended: words(error) })
        process.exit()
      }))
    })
    pull(stream, secure, stream)
  })
  socket.on('error', () => {})
}
