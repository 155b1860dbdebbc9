// TLS: a listener that wants client certificates, what others are told, and certificates that change while it runs.
//
// The folder CERTIFICATES of the environment has ca.pem, server.pem, server.key, client.pem, client.key and other-ca.pem;
// docs/TRANSPORTS.md says how to make them.
import { Node, TlsError } from 'sealwire'

const folder = process.env.CERTIFICATES ?? 'certificates'
const serving = { certificateFile: `${folder}/server.pem`, keyFile: `${folder}/server.key`, caFile: `${folder}/ca.pem`, clients: 'required' }
const right = { caFile: `${folder}/ca.pem`, certificateFile: `${folder}/client.pem`, keyFile: `${folder}/client.key` }
const wrong = {
  'without a certificate': { caFile: `${folder}/ca.pem` },
  'with another CA': { ...right, caFile: `${folder}/other-ca.pem` },
}

const server = await Node.open({ network: 'example', allow: 'anyone' })
const client = await Node.open({ network: 'example' })
server.route('echo', (request) => request.body)
const listener = await server.listen('tls://localhost:0', { tls: serving })
console.log('server: listening on TLS')

const first = await client.connect(listener.ticket, { tls: right })
console.log(`client: connected, the server ${first.id === server.id ? 'proved' : 'did not prove'} its key`)
const reply = await first.request('echo', 'hello over TLS')
console.log(`client: got "${reply.text()}"`)
await first.close()

for (const [what, tls] of Object.entries(wrong)) {
  try {
    await client.connect(listener.ticket, { tls })
  } catch (error) {
    if (!(error instanceof TlsError)) throw error
    console.log(`client: ${what}: ${error.code}`)
  }
}

listener.setTls(serving) // reads the files again
console.log('server: has other certificates')
await client.connect(listener.ticket, { tls: right })
console.log('client: connected again')
await client.close()
await server.close()
