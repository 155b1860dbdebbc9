// Run by `npm pack` in bindings/node: builds and brings dist/ and prebuilds/ here from the build folder.
import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(dirname(fileURLToPath(import.meta.url)))
const root = resolve(here, '..', '..')
// Standard output belongs to npm pack, which prints the tarball's name there.
const { status } = spawnSync(join(root, 'dev'), ['build'], { stdio: ['ignore', 2, 2] })
if (status !== 0) process.exit(1)
const built = resolve(root, process.env.SEALWIRE_BUILD ?? 'build', 'bindings', 'node', 'package')
for (const name of ['LICENSE', 'THIRD-PARTY-NOTICES']) copyFileSync(join(built, name), join(here, name))
for (const folder of ['dist', 'prebuilds']) {
  rmSync(join(here, folder), { recursive: true, force: true })
  cpSync(join(built, folder), join(here, folder), { recursive: true })
}
