// Runs the Node.js suite: an application folder with the staged package in its node_modules, and the tests beside it.
//   node run.mjs [FILTER]     FILTER: only test files whose name contains it; -FILTER: all others
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const application = mkdtempSync(join(tmpdir(), 'sealwire-node-'))
process.on('exit', () => rmSync(application, { recursive: true, force: true }))
mkdirSync(join(application, 'node_modules'))
symlinkSync(process.env.SEALWIRE_NODE_PACKAGE, join(application, 'node_modules', 'sealwire'))
cpSync(here, join(application, 'tests'), { recursive: true })

const [, without, filter] = /^(-?)(.*)$/.exec(process.argv[2] ?? '')
const tests = readdirSync(here).filter((name) => /\.test\.[cm]js$/.test(name) && name.includes(filter) !== (without === '-')).sort()
const [major, minor] = process.versions.node.split('.').map(Number)
// Releases before 18.15 know no reporters and always print TAP.
const reporter = major > 18 || minor >= 15 ? ['--test-reporter=tap'] : []
const runner = spawn(process.execPath, ['--test', ...reporter, ...tests.map((name) => join(application, 'tests', name))],
  { stdio: ['ignore', 'inherit', 'inherit'], cwd: application })
runner.on('exit', (code, signal) => process.exit(signal ? 1 : code))
