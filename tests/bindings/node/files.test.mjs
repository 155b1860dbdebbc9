// Files: sent from a path, saved into a folder; what is refused, what changes meanwhile, and how far it has come.
import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { Answer, File, FileError, OutStream, SealwireError } from 'sealwire'
import { defer, eachTransport, errorsOf, folder as home, pair } from './support.mjs'

const SIZE = 5_000_003
const content = Buffer.alloc(SIZE, 'all of these bytes are to arrive ')

const fresh = () => mkdtempSync(join(home, 'files-'))

for (const [name, url] of eachTransport) {
  test(`${name}: a file is sent and saved`, async (t) => {
    const here = fresh()
    const inbox = join(here, 'inbox')
    mkdirSync(inbox)
    writeFileSync(join(here, 'a file'), content)
    const told = []
    const seen = []
    const { peer } = await pair(t, {
      url: url(),
      routes: {
        save: async ({ parts: [part] }) => {
          const head = [part.name, part.size, part.kind, part.received, part.left]
          const path = await part.save(inbox, { progress: (...soFar) => seen.push(soFar) })
          return { head, path, received: part.received, left: part.left }
        },
      },
    })
    const file = await File.fromPath(join(here, 'a file'), { progress: (...soFar) => told.push(soFar) })
    const reply = await peer.request('save', undefined, { parts: [file] })
    assert.deepEqual(reply.json(), { head: ['a file', SIZE, 'file', 0, SIZE], path: join(inbox, 'a file'), received: SIZE, left: 0 })
    assert.equal(file.sent, SIZE)
    assert.deepEqual(readdirSync(inbox), ['a file'])
    assert.ok(readFileSync(join(inbox, 'a file')).equals(content))
    for (const steps of [told, seen]) {
      assert.ok(steps.length >= 1 && steps.length <= 4, `${steps.length} steps`)
      assert.ok(steps.every(([bytes, size], i) => size === SIZE && (i === 0 || bytes > steps[i - 1][0])))
    }
  })
}

test('files from bytes and streams have their hash', async (t) => {
  const inbox = fresh()
  const { peer } = await pair(t, {
    routes: { save: async ({ parts }) => Promise.all(parts.map((part) => part.save(inbox))) },
  })
  async function* some() {
    yield 'some '
    yield 'pieces'
  }
  const byHand = new File({ name: 'four' })
  byHand.write('by ')
  byHand.end('hand')
  const parts = [
    File.fromBytes('a text', 'one'),
    File.fromStream(some(), 'two'),
    File.fromStream(new Blob(['a web stream']).stream(), 'three', { size: 12 }),
    byHand,
    { name: 'five', kind: 'file', source: ['pieces'] },
  ]
  await peer.request('save', undefined, { parts })
  const expected = { one: 'a text', two: 'some pieces', three: 'a web stream', four: 'by hand', five: 'pieces' }
  for (const [name, bytes] of Object.entries(expected)) assert.equal(readFileSync(join(inbox, name), 'utf8'), bytes)
})

test('what cannot be saved', async (t) => {
  const here = fresh()
  const inbox = join(here, 'inbox')
  mkdirSync(inbox)
  writeFileSync(join(inbox, 'there'), 'old')
  const { peer } = await pair(t, {
    routes: {
      save: async (request) => {
        const { into = inbox, any, ...options } = request.json()
        if (any) options.maxSize = Infinity
        try {
          await request.parts[0].save(into, options)
          return 'saved'
        } catch (error) {
          assert.ok(error instanceof SealwireError)
          return error.code
        }
      },
    },
  })
  const answer = async (part, options = {}) => (await peer.request('save', options, { parts: [part] })).text()
  const file = (name) => File.fromBytes('new', name)
  const stream = (name) => ({ name, source: 'new' })
  assert.equal(await answer(file('../up')), 'file_name')
  assert.equal(await answer(file('')), 'file_name')
  assert.equal(await answer(file('there')), 'file_exists')
  assert.equal(await answer(file('big'), { maxSize: 2 }), 'too_big')
  assert.equal(await answer(file('lost'), { into: join(here, 'missing') }), 'not_found')
  assert.equal(await answer(stream('stream')), 'digest')
  assert.equal(await answer(stream('stream'), { unchecked: true }), 'saved')
  assert.equal(await answer(file('../up'), { name: 'mine', any: true }), 'saved')
  const wrong = new OutStream({ name: 'wrong', kind: 'file' })
  wrong.digest = new Uint8Array(32)
  wrong.end('new')
  assert.equal(await answer(wrong), 'digest')
  assert.deepEqual(readdirSync(inbox).sort(), ['mine', 'stream', 'there'])
  assert.equal(readFileSync(join(inbox, 'there'), 'utf8'), 'old')
  assert.deepEqual(readdirSync(here), ['inbox'])
})

test('what cannot be sent', async () => {
  const here = fresh()
  await assert.rejects(File.fromPath(join(here, 'missing')), (error) => error instanceof FileError && error.code === 'not_found')
  for (const path of [here, '/dev/null']) {
    await assert.rejects(File.fromPath(path), (error) => error instanceof FileError && error.code === 'file_type')
  }
})

test('a file that changes meanwhile fails its request, and leaves nothing', async (t) => {
  const here = fresh()
  const inbox = join(here, 'inbox')
  mkdirSync(inbox)
  const path = join(here, 'changing')
  writeFileSync(path, content)
  const began = defer()
  const changed = defer()
  const { peer, server } = await pair(t, {
    routes: {
      save: async (request) => {
        began.resolve()
        await changed.promise
        await request.parts[0].save(inbox)
      },
    },
  })
  const errors = errorsOf(server) // the handler's, which was cancelled
  const asked = peer.request('save', undefined, { parts: [await File.fromPath(path)] })
  const failed = assert.rejects(asked, (error) => error instanceof FileError && error.code === 'file_changed')
  await began.promise
  appendFileSync(path, 'more')
  changed.resolve()
  await failed
  assert.ok(!existsSync(join(inbox, 'changing')))
  assert.ok(errors.every((error) => error.code === 'cancelled'))
})

test('saving is given up with its signal', async (t) => {
  const inbox = fresh()
  const ended = defer()
  const { peer } = await pair(t, {
    routes: {
      save: async ({ parts: [part] }) => {
        const controller = new AbortController()
        const saved = part.save(inbox, { signal: controller.signal })
        controller.abort(new Error('enough'))
        ended.resolve(await saved.then(() => 'saved', (error) => error.message))
      },
    },
  })
  const endless = new File({ name: 'endless', size: 1e9 })
  const closed = new Promise((resolve) => endless.once('close', resolve))
  const sent = peer.send('save', undefined, { parts: [endless] }).catch((error) => error.code)
  endless.write(Buffer.alloc(100_000))
  assert.equal(await ended.promise, 'enough')
  await closed
  assert.equal(await sent, 'cancelled')
})

test('parts are refused before a byte of them', async (t) => {
  const seen = []
  const { peer } = await pair(t, {
    routes: {
      pick: async ({ parts }) => {
        for (const part of parts) {
          seen.push([part.name, part.size, part.received])
          if (part.name !== 'wanted') part.destroy()
        }
        return (await parts[1].readExactly(2)).toString()
      },
    },
  })
  const huge = new OutStream({ name: 'huge', size: 1e15 })
  const closed = new Promise((resolve) => huge.once('close', resolve))
  const reply = await peer.request('pick', undefined, { parts: [huge, { name: 'wanted', source: 'it' }] })
  assert.equal(reply.text(), 'it')
  await closed
  assert.equal(huge.sent, 0)
  assert.deepEqual(seen, [['huge', 1e15, 0], ['wanted', 2, 0]])
})

test('parts are Web streams, too, and bytes are put back', async (t) => {
  const { peer } = await pair(t, {
    routes: {
      upper: async ({ parts: [part] }) => {
        const start = await part.readExactly(3)
        part.unread(start)
        const out = new OutStream()
        part.toWeb()
          .pipeThrough(new TransformStream({ transform: (piece, to) => to.enqueue(Buffer.from(Buffer.from(piece).toString().toUpperCase())) }))
          .pipeTo(out.toWeb())
        return new Answer(start.toString(), { parts: [out] })
      },
    },
  })
  const reply = await peer.request('upper', undefined, { parts: [{ source: new Blob(['web streams']).stream() }] })
  assert.equal(reply.text(), 'web')
  let all = ''
  for await (const piece of reply.parts[0].toWeb()) all += Buffer.from(piece).toString()
  assert.equal(all, 'WEB STREAMS')
})
