// The certificates of tls:// and wss://: options as programs write them, and as the native half takes them.
import { argumentError } from './errors.js'
import { check } from './known.js'

/**
 * For tls:// and wss://. What is PEM is given as text or as the path of a file, not both; several may stand in one. Files are read by each call.
 * Who listens needs `certificate` and `key`; who connects needs nothing, and trusts the system's CAs then (SSL_CERT_FILE,
 * SSL_CERT_DIR, else the usual places).
 */
export interface TlsOptions {
  /** Whom to trust, in place of the system's. */
  ca?: string | Uint8Array
  caFile?: string
  /** The own one first, then those between it and its CA. */
  certificate?: string | Uint8Array
  certificateFile?: string
  /** Of the first certificate, without a passphrase. */
  key?: string | Uint8Array
  keyFile?: string
  /** Revocation lists of the CAs given here. */
  crl?: string | Uint8Array
  crlFile?: string
  /** When connecting: what the certificate has to be for, in place of the address's host. */
  serverName?: string
  /** When listening, whether certificates are asked for: 'any' (no; the default), 'asked' (one that is shown has to be right), 'required'. */
  clients?: 'any' | 'asked' | 'required'
  /** Default '1.2'. */
  minVersion?: '1.2' | '1.3'
}

/** Texts in the order of sw_tls_options, then its numbers. */
export type NativeTls = [texts: string[], clients: number, minVersion: number]

const clients = ['any', 'asked', 'required']
const versions: Record<string, number> = { '1.2': 12, '1.3': 13 }

export function nativeTls(options: TlsOptions | undefined): NativeTls | undefined {
  if (options === undefined) return undefined
  if (typeof options !== 'object' || options === null) throw argumentError('tls is not an object')
  check(options, 'tls')
  const text = (value: unknown, name: string): string => {
    if (value === undefined) return ''
    if (typeof value === 'string') return value
    if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
    throw argumentError(`${name} is not a string`)
  }
  const path = (value: unknown, name: string): string => {
    if (value !== undefined && typeof value !== 'string') throw argumentError(`${name} is not a path`)
    return value ?? ''
  }
  const policy = clients.indexOf(options.clients ?? 'any')
  if (policy < 0) throw argumentError("clients is 'any', 'asked' or 'required'")
  const version = options.minVersion === undefined ? 0 : versions[options.minVersion]
  if (version === undefined) throw argumentError("minVersion is '1.2' or '1.3'")
  return [[
    text(options.ca, 'ca'), path(options.caFile, 'caFile'), text(options.certificate, 'certificate'),
    path(options.certificateFile, 'certificateFile'), text(options.key, 'key'), path(options.keyFile, 'keyFile'), text(options.crl, 'crl'),
    path(options.crlFile, 'crlFile'), path(options.serverName, 'serverName'),
  ], policy, version]
}
