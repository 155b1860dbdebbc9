// What the Node.js programs of the benchmark share: the arguments, message layout and JSON lines of common.h.
import { parseArgs } from 'node:util'

export function parse() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      workload: { type: 'string' },
      address: { type: 'string' },
      state: { type: 'string' },
      size: { type: 'string', default: '64' },
      count: { type: 'string', default: '0' },
      seconds: { type: 'string', default: '1' },
      outstanding: { type: 'string', default: '256' },
      curve: { type: 'boolean', default: false },
      package: { type: 'string' }, // where the package under test is
    },
  })
  const role = positionals[0]
  if (positionals.length !== 1 || !['server', 'client'].includes(role)) throw new Error('say server or client')
  const subscribes = role === 'client' && values.workload === 'W5'
  if (!subscribes && !/^W[123]/.test(values.workload ?? '')) throw new Error('this program knows W1, W2, W3, and the client in W5')
  const options = { ...values, role, kind: Number(values.workload[1]) }
  for (const name of ['size', 'count', 'seconds', 'outstanding']) options[name] = Number(values[name])
  if (options.size < 16) throw new Error('a message has at least 16 bytes')
  if (role === 'client' && !options.address) throw new Error('a client needs --address')
  if (options.kind === 1) options.outstanding = 1
  return options
}

export function makeMessage(size, number, last = false) {
  const message = Buffer.alloc(size, 0x5a)
  message[0] = last ? 1 : 0
  message.writeUInt32LE(number % 2 ** 32, 8)
  message.writeUInt32LE(Math.floor(number / 2 ** 32), 12)
  return message
}

export const isLast = (message) => message[0] !== 0

const read32 = (m, at) => (m[at] | (m[at + 1] << 8) | (m[at + 2] << 16) | (m[at + 3] << 24)) >>> 0
export const numberOf = (message) => read32(message, 8) + read32(message, 12) * 2 ** 32

// Says when the client has sent enough; reads the clock once in 64 messages.
export class Pace {
  constructor(options) {
    this.options = options
    this.stride = options.kind === 1 || options.size >= 65536 ? 1 : 64
    this.start = performance.now()
  }

  more(sent) {
    if (this.options.count) return sent < this.options.count
    return sent % this.stride !== 0 || performance.now() - this.start < this.options.seconds * 1000
  }
}

// The client's side of W1 and W2: which request comes next, and whether each reply came once.
export class Requests {
  sent = 0
  received = 0
  numberSum = 0
  latencies = []

  constructor(options) {
    this.options = options
    this.pace = new Pace(options)
    this.last = this.pace.start
    this.first = Math.min(options.outstanding, options.count || options.outstanding)
  }

  next() {
    this.numberSum += this.sent
    return makeMessage(this.options.size, this.sent++)
  }

  // Counts a reply; true where it is to be followed by another request.
  take(reply) {
    this.received++
    this.numberSum -= numberOf(reply)
    if (this.options.kind === 1) {
      const now = performance.now()
      this.latencies.push(now - this.last)
      this.last = now
    }
    return this.pace.more(this.sent)
  }

  emit(elapsedMs) {
    const { options, sent, received, latencies } = this
    const line = { role: 'client', workload: options.workload, sent, lost: sent - received + (this.numberSum ? 1 : 0) }
    if (options.kind === 2) line.requests_per_s = (sent * 1000) / elapsedMs
    if (options.kind === 1) {
      const ordered = latencies.slice(Math.floor(latencies.length / 10)).sort((a, b) => a - b)
      line.p50_us = ordered[Math.floor(ordered.length / 2)] * 1000
      line.p99_us = ordered[Math.floor((ordered.length * 99) / 100)] * 1000
    }
    emit(line)
  }
}

// The server's counts.
export class Tally {
  received = 0
  announced = 0
  first = undefined

  constructor(options) {
    this.options = options
  }

  // Counts a message; true for the closing one.
  add(message) {
    this.first ??= performance.now()
    if (isLast(message)) {
      this.announced = numberOf(message)
      return true
    }
    this.received++
    return false
  }

  // W5, at the subscriber. `cpu_us`: what this process has used for each message, at start too.
  emitDeliveries() {
    const { options, received, announced } = this
    const elapsedMs = performance.now() - this.first
    const { user, system } = process.cpuUsage()
    emit({ role: 'client', workload: options.workload, sent: announced, lost: announced - received, deliveries_per_s: (received * 1000) / elapsedMs, cpu_us: (user + system) / received })
  }

  emit() {
    const { options, received, announced } = this
    const line = { role: 'server', workload: options.workload, received, announced }
    const elapsedMs = performance.now() - this.first
    if (options.kind === 3 && elapsedMs > 0) {
      line.messages_per_s = (received * 1000) / elapsedMs
      line.bytes_per_s = line.messages_per_s * options.size
    }
    emit(line)
  }
}

export const emit = (line) => process.stdout.write(JSON.stringify(line) + '\n')
export const emitReady = (address) => emit({ role: 'server', ready: true, address, pid: process.pid })

export async function waitEndOfInput() {
  for await (const _ of process.stdin);
}
