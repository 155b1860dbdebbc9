// Procedure calls: functions and objects by name, many results, and errors with details.
import { Node, Status, StatusError } from 'sealwire'

class Counter {
  value = 0
  add(n) { return (this.value += n) }
}

class Account {
  balance = 10
  async pay(amount) {
    if (amount > this.balance) throw new Status(64, 'too much', { balance: this.balance })
    return (this.balance -= amount)
  }
}

const server = await Node.open({ network: 'example', allow: 'anyone' })
server.expose('math', { add: (a, b) => a + b })
server.expose('counter', new Counter()) // keeps its state
server.expose('account', new Account())
server.expose('count', async function* (to) { for (let n = 0; n < to; n++) yield n })
const { ticket } = await server.listen('tcp://127.0.0.1:0')

const client = await Node.open({ network: 'example' })
const peer = await client.connect(ticket)

async function call(name, ...args) {
  try {
    console.log(`${name}: ${await peer.call(name, ...args)}`)
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    const details = error.details === undefined ? '' : `, ${JSON.stringify(error.details)}`
    console.log(`${name}: status ${error.status}, ${error.text}${details}`)
  }
}

await call('math.add', 1, 2)
await call('counter.add', 2)
await call('counter.add', 3)
for await (const n of peer.callMany('count', 3)) console.log(`count: ${n}`)
await call('account.pay', 11)
await call('math.sub', 1, 2)
await client.close()
await server.close()
