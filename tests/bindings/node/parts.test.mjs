// Parts: streams and files on messages, both ways, with bounded memory; whoever stops one is heard at the other end.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'

import { Answer, IncompleteReadError, OutStream, Part, Status } from 'sealwire'
import { defer, eachTransport, errorsOf, nextLine, pair, program } from './support.mjs'

const MB = 1_000_000

async function bytesOf(part) {
  const pieces = []
  for await (const piece of part) pieces.push(piece)
  return Buffer.concat(pieces)
}

// Pieces of `total` bytes, whose content is told by the place.
function* pieces(total, size = 50_000) {
  for (let at = 0; at < total; at += size) yield Buffer.alloc(Math.min(size, total - at), `${at} `)
}

function hashOf(iterable) {
  const hash = createHash('sha256')
  for (const piece of iterable) hash.update(piece)
  return hash.digest('hex')
}

const turn = () => new Promise(setImmediate)

for (const [name, url] of eachTransport) {
  test(`${name}: echo of 20 MB, both ways at once, with bounded memory`, async (t) => {
    let sent = 0
    let received = 0
    let most = 0
    const { peer } = await pair(t, {
      url: url(),
      routes: { echo: (request) => new Answer('back', { parts: [{ name: 'back', size: request.parts[0].size, source: request.parts[0] }] }) },
    })
    const source = function* () {
      for (const piece of pieces(20 * MB)) {
        sent += piece.length
        most = Math.max(most, sent - received)
        yield piece
      }
    }
    const reply = await peer.request('echo', 'please', { parts: [{ name: 'there', size: 20 * MB, source: source() }] })
    assert.equal(reply.text(), 'back')
    const [back] = reply.parts
    assert.ok(back instanceof Part && back instanceof Readable)
    assert.equal(back.name, 'back')
    assert.equal(back.size, 20 * MB)
    const hash = createHash('sha256')
    for await (const piece of back) {
      received += piece.length
      hash.update(piece)
    }
    assert.equal(received, 20 * MB)
    assert.equal(hash.digest('hex'), hashOf(pieces(20 * MB)))
    assert.ok(most < 10 * MB, `${most} bytes were under way`)
  })

  test(`${name}: several parts of one message, each with name, size, kind and type`, async (t) => {
    const { peer } = await pair(t, {
      url: url(),
      routes: {
        parts: async (request) => {
          const contents = await Promise.all(request.parts.map(bytesOf))
          return request.parts.map(({ name, size, kind, type }, i) => [name, size ?? null, kind, type, contents[i].toString()])
        },
      },
    })
    const parts = [
      { name: 'bytes', source: Buffer.from('a') },
      { name: 'größe.txt', kind: 'file', source: 'ä' },
      { source: ['b', Buffer.from('c'), new Uint8Array([100])] },
      { name: 'sync', size: 2, source: (function* () { yield 'e'; yield 'f' })() },
      { name: 'async', source: (async function* () { yield 'g' })() },
      { name: 'node', source: Readable.from(['h', 'i'], { objectMode: false }) },
      { name: 'web', source: Readable.toWeb(Readable.from([Buffer.from('j')], { objectMode: false })) },
      { name: 'buffer', source: new Uint8Array([107]).buffer },
      { name: 'empty', source: '' },
    ]
    const reply = await peer.request('parts', undefined, { parts })
    assert.deepEqual(reply.json(), [
      ['bytes', 1, 'stream', 'bytes', 'a'], ['größe.txt', 2, 'file', 'bytes', 'ä'], ['', null, 'stream', 'bytes', 'bcd'],
      ['sync', 2, 'stream', 'bytes', 'ef'], ['async', null, 'stream', 'bytes', 'g'], ['node', null, 'stream', 'bytes', 'hi'],
      ['web', null, 'stream', 'bytes', 'j'], ['buffer', 1, 'stream', 'bytes', 'k'], ['empty', 0, 'stream', 'bytes', ''],
    ])
    assert.deepEqual((await peer.request('parts', undefined, { parts: [] })).json(), [])
  })
}

test('an OutStream is written by hand, before and after its message', async (t) => {
  const got = defer()
  const { peer } = await pair(t, {
    routes: {
      take: async (message) => {
        const [part] = message.parts
        got.resolve([(await bytesOf(part)).toString(), part.digest])
      },
    },
  })
  const upload = new OutStream({ name: 'upload' })
  upload.write('before ')
  const sent = peer.send('take', undefined, { parts: [upload] })
  upload.write('after ')
  await turn()
  upload.digest = Buffer.alloc(32, 7)
  upload.end('the end')
  await sent
  const [text, digest] = await got.promise
  assert.equal(text, 'before after the end')
  assert.deepEqual(Buffer.from(digest), Buffer.alloc(32, 7))
  await assert.rejects(peer.send('take', undefined, { parts: [upload] }), { code: 'argument' })
})

test('pipeline to and from parts', async (t) => {
  const { peer } = await pair(t, {
    routes: {
      upper: (request) => {
        const back = new OutStream()
        pipeline(request.parts[0], async function* (source) {
          for await (const piece of source) yield piece.toString().toUpperCase()
        }, back)
        return new Answer(undefined, { parts: [back] })
      },
    },
  })
  const reply = await peer.request('upper', undefined, { parts: [{ source: ['ab', 'cd'] }] })
  const web = Readable.toWeb(reply.parts[0])
  let text = ''
  for await (const piece of web) text += Buffer.from(piece)
  assert.equal(text, 'ABCD')
})

test('a generator of the answer may read the request lazily', async (t) => {
  const { peer } = await pair(t, {
    routes: {
      double: (request) => new Answer('x', {
        parts: [{ source: (async function* () { await turn(); await turn(); for await (const piece of request.parts[0]) yield Buffer.concat([piece, piece]) })() }],
      }),
    },
  })
  const reply = await peer.request('double', undefined, { parts: [{ source: 'ab' }] })
  assert.equal((await bytesOf(reply.parts[0])).toString(), 'abab')
})

test('readExactly and unshift', async (t) => {
  const { peer } = await pair(t, {
    routes: {
      frames: async (request) => {
        const [part] = request.parts
        const sizes = []
        for (;;) {
          const head = await part.readExactly(4)
          if (head.readUInt32BE() === 0) break
          part.unshift(head)
          assert.deepEqual(await part.readExactly(4), head)
          sizes.push((await part.readExactly(head.readUInt32BE())).length)
        }
        const error = await part.readExactly(1000).catch((reason) => reason)
        assert.ok(error instanceof IncompleteReadError)
        assert.equal((await part.readExactly(0)).length, 0)
        return [...sizes, error.expected, error.partial.toString()]
      },
    },
  })
  const frame = (size) => {
    const bytes = Buffer.alloc(4 + size)
    bytes.writeUInt32BE(size)
    return bytes
  }
  const source = [Buffer.concat([frame(1), frame(2_000_000)]), frame(70_000), frame(0), 'rest']
  assert.deepEqual((await peer.request('frames', undefined, { parts: [{ source }] })).json(), [1, 2_000_000, 70_000, 1000, 'rest'])
})

test('the receiver stops a part: its writer sees cancelled and the code', async (t) => {
  const { peer } = await pair(t, {
    routes: {
      stop: (message) => { message.parts[0].destroy(new Status(77)) },
      some: async (request) => {
        for await (const piece of request.parts[0]) return String(piece.length > 0)
      },
    },
  })
  const upload = new OutStream()
  const closed = new Promise((resolve) => upload.once('error', resolve))
  await assert.rejects(peer.send('stop', undefined, { parts: [upload] }), { code: 'cancelled', status: 77 })
  assert.equal((await closed).code, 'cancelled')
  assert.ok(upload.destroyed)
  let finished = false
  const endless = (function* () { try { for (;;) yield Buffer.alloc(50_000) } finally { finished = true } })()
  assert.equal((await peer.request('some', undefined, { parts: [{ source: endless }] })).text(), 'true')
  while (!finished) await turn()
})

test('the sender stops a part: its reader sees cancelled', async (t) => {
  const seen = defer()
  const { server, peer } = await pair(t, {
    routes: { take: (message) => bytesOf(message.parts[0]).catch((error) => seen.resolve(error)) },
  })
  const errors = errorsOf(server)
  const upload = new OutStream({ size: 10 })
  const sent = assert.rejects(peer.send('take', undefined, { parts: [upload] }))
  upload.write('12345')
  upload.destroy(new Status(78))
  const error = await seen.promise
  assert.equal(error.code, 'cancelled')
  assert.equal(error.status, 78)
  await sent
  assert.deepEqual(errors, [])
})

test('a source that throws: the sender gets its error, the receiver cancelled', async (t) => {
  const seen = defer()
  const ended = defer()
  const begun = [defer(), defer()] // a request that is cancelled before it left is none for the peer
  const { server, client, peer } = await pair(t, {
    routes: {
      take: async (request) => {
        begun[0].resolve()
        try {
          return String((await bytesOf(request.parts[0])).length)
        } catch (error) {
          seen.resolve(error.code)
          throw error
        }
      },
      give: () => new Answer('here', { parts: [{ source: bad() }] }),
      many: async function* () { try { begun[1].resolve(); yield 1; await turn() } finally { ended.resolve() } },
    },
  })
  async function* bad(when) {
    yield 'some'
    await when
    throw new Error('the disk is gone')
  }
  const errors = errorsOf(server)
  const own = errorsOf(client)
  await assert.rejects(peer.request('take', undefined, { parts: [{ source: bad(begun[0].promise) }] }), { message: 'the disk is gone' })
  assert.equal(await seen.promise, 'cancelled')
  await assert.rejects(peer.send('take', undefined, { parts: [{ source: bad() }] }), { message: 'the disk is gone' })
  const [part] = (await peer.request('give')).parts
  await assert.rejects(bytesOf(part), { code: 'cancelled' })
  const replies = peer.requestMany('many', undefined, { parts: [{ source: bad(begun[1].promise) }] })
  await assert.rejects(async () => { for await (const _ of replies) await turn() }, { message: 'the disk is gone' })
  await ended.promise
  assert.ok(errors.some((error) => error.message === 'the disk is gone'))
  assert.deepEqual(own, [])
})

test('a stated size has to be right', async (t) => {
  const { peer } = await pair(t, { routes: { take: async (request) => (await bytesOf(request.parts[0])).length } })
  await assert.rejects(peer.request('take', undefined, { parts: [{ size: 3, source: ['four'] }] }), { code: 'too_big' })
  await assert.rejects(peer.request('take', undefined, { parts: [{ size: 5, source: ['four'] }] }), { code: 'argument' })
  for (const part of [{}, { source: 5 }, null, { name: 5, source: '' }, { kind: 'odd', source: '' }, { size: -1, source: '' }]) {
    await assert.rejects(peer.request('take', undefined, { parts: [part] }))
  }
  await assert.rejects(peer.request('take', undefined, { parts: Array.from({ length: 65 }, () => ({ source: '' })) }), { code: 'argument' })
})

test('a slow reader stops the sender', async (t) => {
  const got = defer()
  let sent = 0
  let read = 0
  let most = 0
  const { peer } = await pair(t, {
    routes: {
      slow: async (message) => {
        while (read < 10 * MB) {
          read += (await message.parts[0].readExactly(10_000)).length
          for (let i = 0; i < 20; i++) await turn()
        }
        got.resolve(read)
      },
    },
  })
  const source = (function* () {
    for (const piece of pieces(10 * MB)) {
      sent += piece.length
      most = Math.max(most, sent - read)
      yield piece
    }
  })()
  await peer.send('slow', undefined, { parts: [{ source }] })
  assert.equal(await got.promise, 10 * MB)
  assert.ok(most < 5 * MB, `${most} bytes were under way`)
})

test('parts that a handler never read are stopped when it is done', async (t) => {
  const { peer } = await pair(t, {
    routes: { ignore: async () => 'no need', oneWay: () => {}, fails: () => { throw new Status(70) }, peeks: async (request) => (await request.parts[0].readExactly(2)).toString() },
  })
  const endless = () => ({ source: (function* () { for (;;) yield Buffer.alloc(50_000, 'x') })() })
  assert.equal((await peer.request('ignore', undefined, { parts: [endless(), endless()] })).text(), 'no need')
  await assert.rejects(peer.send('oneWay', undefined, { parts: [endless()] }), { code: 'cancelled' })
  await assert.rejects(peer.request('fails', undefined, { parts: [endless()] }), { status: 70 })
  await assert.rejects(peer.request('absent', undefined, { parts: [endless()] }), { code: 'no_route' })
  assert.equal((await peer.request('peeks', undefined, { parts: [endless()] })).text(), 'xx')
  for (let i = 0; i < 300; i++) await peer.request('ignore', undefined, { parts: [endless()] }) // more than there are slots
})

test('many replies with parts', async (t) => {
  const { peer } = await pair(t, {
    routes: { files: async function* () { for (let i = 0; i < 100; i++) yield new Answer(i, { parts: [{ name: `${i}.txt`, kind: 'file', source: `content ${i}` }] }) } },
  })
  let count = 0
  for await (const reply of peer.requestMany('files')) {
    assert.equal(reply.json(), count)
    const [file] = reply.parts
    assert.equal(file.name, `${count}.txt`)
    assert.equal((await bytesOf(file)).toString(), `content ${count++}`)
  }
  assert.equal(count, 100)
})

test('aborting a request ends its parts and those of its reply', async (t) => {
  const inEnded = defer()
  const outEnded = defer()
  const { peer } = await pair(t, {
    routes: {
      both: (request) => {
        request.parts[0].on('error', inEnded.resolve).resume()
        const out = new OutStream()
        out.on('error', outEnded.resolve)
        out.write('x')
        return new Answer('x', { parts: [out] })
      },
    },
  })
  const controller = new AbortController()
  const upload = new OutStream()
  const reply = await peer.request('both', undefined, { parts: [upload], signal: controller.signal })
  assert.equal((await reply.parts[0].readExactly(1)).toString(), 'x')
  const rest = assert.rejects(reply.parts[0].readExactly(1), { code: 'cancelled' })
  controller.abort()
  await rest
  assert.equal((await inEnded.promise).code, 'cancelled')
  assert.equal((await outEnded.promise).code, 'cancelled')
  assert.ok(upload.destroyed)
})

test('a peer that is lost ends all parts', async (t) => {
  const seen = defer()
  const { server, client, peer } = await pair(t, {
    routes: { take: (request) => { request.parts[0].on('error', seen.resolve).resume(); return new Answer('x', { parts: [new OutStream()] }) } },
  })
  const errors = errorsOf(server)
  const upload = new OutStream()
  const reply = await peer.request('take', undefined, { parts: [upload] })
  const rest = assert.rejects(bytesOf(reply.parts[0]), (error) => typeof error.code === 'string')
  await client.close(1)
  assert.equal(typeof (await seen.promise).code, 'string')
  await rest
  assert.ok(upload.destroyed)
  assert.deepEqual(errors, [])
})

test('messages with parts wait for room; an abort before that sends nothing', async (t) => {
  let calls = 0
  const { peer } = await pair(t, {
    client: { limits: { sendQueueBytes: 64 * 1024 } },
    routes: { fill: () => {}, take: async (request) => { calls++; return (await bytesOf(request.parts[0])).toString() } },
  })
  while (peer.trySend('fill', Buffer.alloc(8 * 1024)));
  const asked = peer.request('take', undefined, { parts: [{ source: 'all of it' }] })
  const sent = peer.send('take', undefined, { parts: [{ source: ['in', ' pieces'] }] })
  const replies = peer.requestMany('take', undefined, { parts: [{ source: 'many' }] })
  const controller = new AbortController()
  const upload = new OutStream()
  const source = Readable.from(['never read'])
  const parts = [upload, { source }]
  const aborted = assert.rejects(peer.request('take', undefined, { parts, signal: controller.signal }), { name: 'AbortError' })
  controller.abort()
  await aborted
  assert.ok(upload.destroyed && source.destroyed)
  assert.equal((await asked).text(), 'all of it')
  await sent
  assert.equal((await replies.next()).value.text(), 'many')
  assert.equal(calls, 3)
})

test('process: a part under way holds it', async (t) => {
  const got = defer()
  const { server, listener } = await pair(t, { server: { allow: 'anyone' } })
  server.route('take', async (message) => {
    for await (const piece of message.parts[0]) got.resolve([message.peer, piece.toString()])
  })
  const child = program(`import { Node, OutStream } from 'sealwire'
    const node = await Node.open({ network: 'tests' })
    const upload = new OutStream()
    node.route('finish', () => { upload.end() })
    const peer = await node.connect(process.argv[2])
    void peer.send('take', undefined, { parts: [upload] }).then(() => console.log('sent'))
    upload.write('begun')`, [listener.ticket])
  const [peer, text] = await got.promise
  assert.equal(text, 'begun')
  for (let i = 0; i < 100; i++) await turn()
  await peer.send('finish')
  assert.equal(await nextLine(child.lines), 'sent')
  assert.deepEqual(await child.exit, { code: 0, signal: null, errors: '' })
})
