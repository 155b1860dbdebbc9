// Files: a report goes to a server that saves it; a name that leads elsewhere and a file that is too large are refused.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { File, Node, Status } from 'sealwire'

const folder = mkdtempSync(join(tmpdir(), 'files-'))
const inbox = join(folder, 'inbox')
mkdirSync(inbox)

const server = await Node.open({ network: 'example', allow: 'anyone' })
server.route('upload', async ({ parts: [file] }) => {
  try {
    const path = await file.save(inbox, { maxSize: 1_000_000 })
    return `saved as ${basename(path)}, ${file.received} bytes`
  } catch (error) {
    throw new Status(64, error.code)
  }
})
const { ticket } = await server.listen('tcp://127.0.0.1:0')

const client = await Node.open({ network: 'example' })
const peer = await client.connect(ticket)

const report = join(folder, 'report.txt')
writeFileSync(report, 'all is well')
for (const file of [
  await File.fromPath(report),
  await File.fromPath(report),
  await File.fromPath(report, { name: '../report.txt' }),
  File.fromBytes(new Uint8Array(5_000_000), 'large.bin'),
]) {
  try {
    const reply = await peer.request('upload', undefined, { parts: [file] })
    console.log(`${file.name}: ${reply.text()}`)
  } catch (status) {
    console.log(`${file.name}: ${status.text}`)
  }
}
console.log(`in the folder: ${readFileSync(join(inbox, 'report.txt'), 'utf8')}`)

await Promise.all([client.close(), server.close()])
rmSync(folder, { recursive: true })
console.log('closed')
