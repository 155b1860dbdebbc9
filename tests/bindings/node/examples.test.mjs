// The examples print what examples/expected says, and every block of code of docs/node.md runs.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { certificates, program } from './support.mjs'

const root = process.env.SEALWIRE_SOURCE_ROOT

async function run(text) {
  const child = program(text, [], [], { CERTIFICATES: certificates() })
  let output = ''
  for await (const line of child.lines) output += `${line}\n`
  assert.deepEqual(await child.exit, { code: 0, signal: null, errors: '' })
  return output
}

const examples = join(root, 'examples', 'node')
const names = readdirSync(examples).filter((name) => name.endsWith('.mjs'))
assert.ok(names.length >= 3)
for (const name of names) {
  test(`example ${name}`, async () => {
    const expected = readFileSync(join(root, 'examples', 'expected', name.replace('.mjs', '.txt')), 'utf8')
    assert.equal(await run(readFileSync(join(examples, name), 'utf8')), expected)
  })
}

const guide = readFileSync(join(root, 'docs', 'node.md'), 'utf8')
const blocks = [...guide.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1])
assert.ok(blocks.length >= 4)
let said = 0
blocks.forEach((text, i) => test(`docs/node.md, block ${i + 1}`, async () => {
  const output = (await run(text)).split('\n')
  for (const [, line] of text.matchAll(/ \/\/ prints: (.*)$/gm)) {
    assert.ok(output.includes(line), `it prints ${line}`)
    said++
  }
}))
test('the guide says what blocks print, and they do', () => assert.ok(said >= 1))
