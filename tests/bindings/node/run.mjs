// Runs the Node.js suite: an application folder with the staged package and the codecs' in its node_modules, and the tests.
//   node run.mjs [FILTER..]     FILTER: only test files whose name contains one of them; -FILTER: all others
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const application = mkdtempSync(join(tmpdir(), 'sealwire-node-'))
const installed = join(application, 'node_modules', 'sealwire')
process.on('exit', () => rmSync(application, { recursive: true, force: true }))
// Copied, as packages look for one another by where they lie.
cpSync(process.env.SEALWIRE_NODE_PACKAGE, installed, { recursive: true })
for (const name of ['@msgpack/msgpack', 'cborg']) {
  cpSync(join(process.env.SEALWIRE_NODE_MODULES, name), join(application, 'node_modules', name), { recursive: true })
}
cpSync(here, join(application, 'tests'), { recursive: true })

const filters = process.argv.slice(2)
const without = filters[0]?.startsWith('-') ?? false
const chosen = (name) => filters.length === 0 || filters.some((filter) => name.includes(filter.replace(/^-/, ''))) !== without
const tests = readdirSync(here).filter((name) => /\.test\.[cm]js$/.test(name) && chosen(name)).sort()
const [major, minor] = process.versions.node.split('.').map(Number)
// Releases before 18.15 know no reporters and always print TAP.
const reporter = major > 18 || minor >= 15 ? ['--test-reporter=tap'] : []
const runner = spawn(process.execPath, ['--test', ...reporter, ...tests.map((name) => join(application, 'tests', name))],
  { stdio: ['ignore', 'inherit', 'inherit'], cwd: application, env: { ...process.env, SEALWIRE_NODE_PACKAGE: installed } })
runner.on('exit', (code, signal) => process.exit(signal ? 1 : code))
