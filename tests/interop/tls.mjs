// tls:// or wss:// with client certificates against a program of another language: tls.mjs [TICKET]; certificates in CERTIFICATES,
// where to listen in ADDRESS.
import { Node, TlsError } from 'sealwire'

const folder = process.env.CERTIFICATES
const own = { caFile: `${folder}/ca.pem`, certificateFile: `${folder}/client.pem`, keyFile: `${folder}/client.key` }
const serving = { caFile: `${folder}/ca.pem`, certificateFile: `${folder}/server.pem`, keyFile: `${folder}/server.key`, clients: 'required' }
const node = await Node.open({ network: 'tls', allow: 'anyone' })
node.route('echo', (request) => request.body)
const ticket = process.argv[2]
if (ticket === undefined) {
  console.log((await node.listen(process.env.ADDRESS, { tls: serving })).ticket)
} else {
  for (const minVersion of ['1.2', '1.3']) {
    const peer = await node.connect(ticket, { tls: { ...own, minVersion } })
    for (const size of [1, 100_000]) {
      const body = Buffer.alloc(size, 'abc')
      const reply = await peer.request('echo', body)
      if (!body.equals(reply.body)) console.log(`${size} bytes came back changed`)
    }
    await peer.close()
  }
  try {
    await node.connect(ticket, { tls: { caFile: `${folder}/ca.pem` } })
    console.log('it was let in without a certificate')
  } catch (error) {
    if (!(error instanceof TlsError) || error.code !== 'tls_client_certificate') console.log(String(error))
  }
  console.log('compared 5')
  await node.close()
}
