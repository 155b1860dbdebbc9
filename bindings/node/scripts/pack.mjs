// Makes the npm tarballs from the staged package: complete (with this machine's binary), and split in two for a registry.
//   node pack.mjs STAGED_PACKAGE OUT
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const [staged, out] = process.argv.slice(2).map((path) => resolve(path))
const scratch = mkdtempSync(join(tmpdir(), 'sealwire-pack-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))

function pack(folder, destination) {
  mkdirSync(destination, { recursive: true })
  execFileSync('npm', ['pack', folder, '--pack-destination', destination, '--loglevel', 'error'], { stdio: ['ignore', 'ignore', 'inherit'] })
}

pack(staged, join(out, 'npm'))

// Slim: the same package without binaries; the loader then takes the one from @sealwire/<platform>.
const slim = join(scratch, 'slim')
cpSync(staged, slim, { recursive: true })
rmSync(join(slim, 'prebuilds'), { recursive: true })
pack(slim, join(out, 'npm-split'))

const { version, license, author, engines } = JSON.parse(readFileSync(join(staged, 'package.json'), 'utf8'))
for (const platform of readdirSync(join(staged, 'prebuilds'))) {
  const folder = join(scratch, platform)
  const [os, cpu, libc] = platform.split('-')
  cpSync(join(staged, 'prebuilds', platform), folder, { recursive: true })
  for (const name of ['LICENSE', 'THIRD-PARTY-NOTICES']) cpSync(join(staged, name), join(folder, name))
  const description = {
    name: `@sealwire/${platform}`, version, license, author, engines,
    description: `The binary of sealwire for ${platform}`,
    os: [os], cpu: [cpu], ...(libc ? { libc: [libc] } : {}), files: ['sealwire.node', 'THIRD-PARTY-NOTICES'],
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(description, null, 2) + '\n')
  pack(folder, join(out, 'npm-split'))
}
