// The tarball: what is in it, what the addon needs, and that it loads from ESM, CommonJS and a worker, with types.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

const modules = process.env.SEALWIRE_NODE_MODULES
const folder = mkdtempSync(join(tmpdir(), 'sealwire-pack-'))
const project = join(folder, 'project')
const installed = join(project, 'node_modules', 'sealwire')
let packed

const run = (program, args) => execFileSync(program, args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
// A cache of its own: nothing that is on this machine already can help.
const npm = (...args) => run('npm', [...args, '--cache', join(folder, 'cache'), '--loglevel', 'error'])
const script = (name, text) => {
  writeFileSync(join(project, name), text)
  return run(process.execPath, [name]).trim()
}

before(() => {
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "version": "1.0.0", "private": true }\n')
  packed = JSON.parse(npm('pack', process.env.SEALWIRE_NODE_PACKAGE, '--json', '--pack-destination', folder))[0]
  npm('install', '--ignore-scripts', '--offline', '--no-audit', join(folder, packed.filename))
})
after(() => rmSync(folder, { recursive: true, force: true }))

const addonPath = () => join(installed, packed.files.find(({ path }) => path.endsWith('sealwire.node')).path)
const version = () => JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')).version

test('the tarball holds the compiled package and one prebuild', () => {
  const names = packed.files.map(({ path }) => path)
  const prebuilds = names.filter((name) => name.startsWith('prebuilds/'))
  assert.equal(prebuilds.length, 1)
  assert.match(prebuilds[0], new RegExp(`^prebuilds/${process.platform}-${process.arch}(-glibc|-musl)?/sealwire\\.node$`))
  const rest = names.filter((name) => !name.startsWith('prebuilds/') && !/^dist\/[\w-]+(\.d)?\.(js|mjs|ts|mts)$/.test(name))
  assert.deepEqual(rest.sort(), ['LICENSE', 'README.md', 'THIRD-PARTY-NOTICES', 'package.json'])
})

test('the installed package has no script to run and no dependency', () => {
  const description = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  assert.equal(description.scripts, undefined)
  assert.equal(description.dependencies, undefined)
})

test('the addon needs libc only', { skip: process.platform !== 'linux' }, () => {
  const needed = [...run('readelf', ['-dW', addonPath()]).matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1])
  for (const name of needed) assert.match(name, /^(lib(c|m|dl|rt|pthread)\.so\.\d|ld-linux-[\w-]+\.so\.\d)$/)
})

test('the addon exports the two functions of Node-API alone', { skip: process.platform !== 'linux' }, () => {
  const rows = run('nm', ['-D', '--defined-only', addonPath()]).trim().split('\n')
  const names = rows.map((row) => row.split(' ').at(-1)).sort()
  assert.deepEqual(names, ['napi_register_module_v1', 'node_api_module_get_api_version_v1'])
})

test('it loads from ESM', () => {
  assert.equal(script('esm.mjs', "import { version } from 'sealwire'\nconsole.log(version)\n"), version())
})

test('it loads from CommonJS', () => {
  assert.equal(script('commonjs.cjs', "console.log(require('sealwire').version)\n"), version())
})

test('ESM and CommonJS give the same objects', () => {
  const text = `import { createRequire } from 'node:module'
    import * as esm from 'sealwire'
    const commonjs = createRequire(import.meta.url)('sealwire')
    const names = Object.keys(commonjs)
    console.log(names.length > 0 && names.every((name) => commonjs[name] === esm[name]))`
  assert.equal(script('same.mjs', text), 'true')
})

test('it loads in a worker thread, also after another worker that used it has ended', () => {
  const text = `const { Worker, isMainThread, parentPort } = require('node:worker_threads')
    const { version } = require('sealwire')
    if (!isMainThread) parentPort.postMessage(version)
    else {
      const once = () => new Promise((resolve, reject) => {
        let said
        const worker = new Worker(__filename)
        worker.on('message', (message) => { said = message })
        worker.on('error', reject)
        worker.on('exit', () => resolve(said))
      })
      once().then(async (first) => console.log([version, first, await once()].join(' ')))
    }`
  const v = version()
  assert.equal(script('worker.cjs', text), `${v} ${v} ${v}`)
})

test('its types serve an ESM and a CommonJS program', () => {
  const code = `import { Answer, type Draft, encode, Encoded, Node, type BodyKind, OutStream, StatusError, version, type NodeOptions, type Part, type Peer, type Request } from 'sealwire'
    const text: string = version
    const options: NodeOptions = { allow: 'anyone', limits: { exchangeSlots: 512 }, onAsk: async (ask) => ask.id.length === 52 }
    export async function talk(ticket: string, signal: AbortSignal): Promise<string> {
      const node = await Node.open(options)
      node.route('greet', async (request: Request) => ({ hello: request.json().name, to: request.peer.id }))
      node.on('peer', (peer: Peer) => { peer.once('close', (reason) => { if (reason instanceof StatusError) throw reason }) })
      const peer = await node.connect(ticket, { timeout: 1000, signal })
      await peer.send('log', new Uint8Array(3), { receipt: true })
      const body: Uint8Array = (await peer.request('greet', { name: 'Ada' }, { timeout: 2000, signal })).body
      node.route('tail', async function* (request: Request) { yield new Answer(request.route, { parts: [{ name: 'a', source: ['x'] }] }) })
      const kind: BodyKind = 'cbor', packed: Encoded = encode([text], kind)
      const value: unknown = (await peer.request('greet', packed)).decode()
      if (value === null) return packed.type
      const draft: Draft = node.draft('greet', { type: kind, metadata: { by: 'Ada' } })
      await peer.send(draft, [1], { metadata: [['by', 'Eve']], receipt: true })
      if (!peer.trySend(draft)) return String(draft.type) + (await peer.request(draft)).text()
      const upload = new OutStream({ name: 'log', kind: 'file', size: 3 })
      upload.end('abc')
      for await (const reply of peer.requestMany('tail', null, { timeout: 100, signal, parts: [upload] })) {
        const part: Part = reply.parts[0]
        const head: Uint8Array = await part.readExactly(part.size ?? 1)
        if (head.length > 0) break
      }
      const { deadlinePassed } = await node.close()
      return deadlinePassed ? text : String(body.length)
    }`
  for (const name of ['esm.mts', 'commonjs.cts']) writeFileSync(join(project, name), code)
  const options = ['--noEmit', '--strict', '--module', 'node16', '--moduleResolution', 'node16', '--types', 'node',
    '--typeRoots', join(modules, '@types')]
  const tsc = join(modules, 'typescript', 'bin', 'tsc')
  run(process.execPath, [tsc, ...options, 'esm.mts', 'commonjs.cts'])
  writeFileSync(join(project, 'wrong.mts'), "import { version } from 'sealwire'\nconst n: number = version\nexport { n }\n")
  assert.throws(() => run(process.execPath, [tsc, ...options, 'wrong.mts']), /status|Command failed/)
})
