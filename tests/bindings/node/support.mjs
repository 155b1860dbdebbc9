// What the suites share: pairs of nodes over each transport, promises settled from outside, programs run beside.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Identity, Node } from 'sealwire'

const here = dirname(fileURLToPath(import.meta.url))
export const folder = mkdtempSync(join(tmpdir(), 'sealwire-test-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

let sockets = 0
export const transports = {
  tcp: () => 'tcp://127.0.0.1:0',
  unix: () => `unix://${join(folder, `${++sockets}.sock`)}`,
}
// What goes over a transport is the library's matter, whose own tests go over each under a sanitizer, too.
export const eachTransport = Object.entries(transports).filter(([name]) => name === 'unix' || !process.env.SEALWIRE_SANITIZED)

export function defer() {
  let resolve, reject
  const promise = new Promise((a, b) => ([resolve, reject] = [a, b]))
  return { promise, resolve, reject }
}

// A server that lets the client in, the client, and the client's peer; `t` closes them.
export async function pair(t, { url = transports.tcp(), server: serverOptions = {}, client: clientOptions = {}, routes = {} } = {}) {
  const identity = Identity.generate()
  const server = await Node.open({ allow: [identity.id], network: 'tests', ...serverOptions })
  const client = await Node.open({ identity, network: 'tests', ...clientOptions })
  t.after(() => Promise.all([server.close(100), client.close(100)]))
  for (const [route, handler] of Object.entries(routes)) server.route(route, handler)
  const listener = await server.listen(url)
  const arrived = new Promise((resolve) => server.once('peer', resolve))
  const peer = await client.connect(listener.ticket)
  return { server, client, listener, peer, back: await arrived }
}

// Errors of a node, in the order in which they came; none of them becomes a warning.
export function errorsOf(node) {
  const errors = []
  node.on('error', (error) => errors.push(error))
  return errors
}

let programs = 0
// Runs a program of its own with `sealwire` at hand. `lines` gives its standard output, line by line.
export function program(text, args = [], flags = [], environment = {}) {
  const path = join(here, `program-${process.pid}-${++programs}.mjs`)
  writeFileSync(path, text)
  const child = spawn(process.execPath, [...flags, path, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...environment } })
  let errors = ''
  child.stderr.on('data', (data) => (errors += data))
  const exit = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, errors })))
  return { child, exit, lines: linesOf(child.stdout) }
}

async function* linesOf(stream) {
  let rest = ''
  for await (const data of stream) {
    const lines = (rest + data).split('\n')
    rest = lines.pop()
    yield* lines
  }
}

export async function nextLine(lines) {
  const { value, done } = await lines.next()
  if (done) throw new Error('the program ended without a word')
  return value
}

let certificateFolder

// A folder with fresh certificates: see tests/support/certificates_c.h for which.
export function certificates() {
  if (certificateFolder === undefined) {
    certificateFolder = mkdtempSync(join(tmpdir(), 'sealwire-certificates-'))
    process.on('exit', () => rmSync(certificateFolder, { recursive: true, force: true }))
    execFileSync(process.env.SEALWIRE_MAKE_CERTIFICATES, [certificateFolder])
  }
  return certificateFolder
}
