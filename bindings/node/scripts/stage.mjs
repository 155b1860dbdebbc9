// Puts the package together in the build folder: compiled TypeScript, this machine's prebuild, package.json without tools.
//   node stage.mjs --source bindings/node --out FOLDER --addon sealwire.node --license LICENSE --notices FILE --stamp FILE
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const text = { type: 'string' }
const { values } = parseArgs({ options: { source: text, out: text, addon: text, license: text, notices: text, stamp: text } })
const [source, out] = [resolve(values.source), resolve(values.out)]

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const tsc = join(source, 'node_modules', 'typescript', 'bin', 'tsc')
const options = ['-p', join(source, 'tsconfig.json'), '--outDir', join(out, 'dist')]
const { status } = spawnSync(process.execPath, [tsc, ...options], { stdio: 'inherit' })
if (status !== 0) process.exit(1)

const description = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'))
delete description.scripts
delete description.devDependencies
writeFileSync(join(out, 'package.json'), JSON.stringify(description, null, 2) + '\n')
copyFileSync(join(source, 'README.md'), join(out, 'README.md'))
copyFileSync(values.license, join(out, 'LICENSE'))
copyFileSync(values.notices, join(out, 'THIRD-PARTY-NOTICES'))

// The package itself says what this platform is called.
const platform = createRequire(import.meta.url)(join(out, 'dist', 'platform.js'))
const prebuild = join(out, 'prebuilds', platform.platformName())
mkdirSync(prebuild, { recursive: true })
copyFileSync(values.addon, join(prebuild, 'sealwire.node'))
writeFileSync(values.stamp, '')
