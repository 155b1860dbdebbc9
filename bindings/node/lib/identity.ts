// Identities, networks, secrets of topics and tickets.
import { argumentError } from './errors.js'
import { native, type NativeIdentity } from './native.js'

/** An Ed25519 key pair, kept in guarded memory. */
export class Identity {
  /** @internal */
  readonly native: NativeIdentity
  /** The public key as text: 52 characters. */
  readonly id: string

  private constructor(made: NativeIdentity) {
    this.native = made
    this.id = native.identityId(made)
  }

  /** A new one. */
  static generate(): Identity {
    return new Identity(native.identityGenerate())
  }

  /** From a seed of 32 bytes. */
  static fromSeed(seed: Uint8Array): Identity {
    if (!(seed instanceof Uint8Array)) throw argumentError('seed is not a Uint8Array')
    return new Identity(native.identityFromSeed(seed))
  }

  /** From a key file, which must be readable by its owner only. */
  static load(path: string): Identity {
    if (typeof path !== 'string') throw argumentError('path is not a string')
    return new Identity(native.identityLoad(path))
  }

  /** Creates a key file with mode 0600; fails when it exists. */
  save(path: string): void {
    if (typeof path !== 'string') throw argumentError('path is not a string')
    native.identitySave(this.native, path)
  }

  /** A copy of the secret seed; keep it out of logs. */
  seed(): Uint8Array {
    return native.identitySeed(this.native)
  }

  toString(): string {
    return this.id
  }
}

/** Peer ids: public keys as text, or as 32 bytes. */
export const peerId = {
  /** The 32 bytes of an id in text form; throws where it is none. */
  toBytes(text: string): Uint8Array {
    if (typeof text !== 'string') throw argumentError('the peer id is not a string')
    return native.peerIdBytes(text)
  },
  /** The text of 32 bytes. */
  toText(bytes: Uint8Array): string {
    if (!(bytes instanceof Uint8Array) || bytes.length !== 32) throw argumentError('a peer id has 32 bytes')
    return native.peerIdText(bytes)
  },
}

/** Networks keep programs apart that must not meet. */
export const network = {
  /** A new secret network: a text that starts with swnet1. */
  generate(): string {
    return native.networkGenerate()
  },
  /** The secret network of a passphrase, by Argon2id: about a second, off the main thread. */
  fromPassphrase(passphrase: string): Promise<string> {
    if (typeof passphrase !== 'string') throw argumentError('passphrase is not a string')
    return native.networkFromPassphrase(passphrase)
  },
  /** Throws where the text names no network. */
  check(text: string): void {
    if (typeof text !== 'string') throw argumentError('network is not a string')
    native.networkCheck(text)
  },
}

/** Secrets of topics, for `node.join(name, { secret })`: only members who join with the same one read what is published. */
export const topicSecret = {
  /** A new one: a text that starts with swtopic1. */
  generate(): string {
    return native.topicSecretGenerate()
  },
  /** That of a passphrase, at least 12 bytes, for the topic of that name, by Argon2id: about a second, off the main thread. */
  fromPassphrase(passphrase: string, topic: string): Promise<string> {
    if (typeof passphrase !== 'string') throw argumentError('passphrase is not a string')
    if (typeof topic !== 'string') throw argumentError('a topic is a string')
    return native.topicSecretFromPassphrase(passphrase, topic)
  },
}

/** Tickets: an address and a peer id in one text. */
export const ticket = {
  make(address: string, id: string): string {
    if (typeof address !== 'string' || typeof id !== 'string') throw argumentError('address and id are strings')
    return native.ticketMake(address, id)
  },
  split(text: string): { address: string; id: string } {
    if (typeof text !== 'string') throw argumentError('ticket is not a string')
    const [address, id] = native.ticketSplit(text)
    return { address, id }
  },
}
