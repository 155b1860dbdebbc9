// Codecs: values as bodies, and back, by the type field; MessagePack and CBOR by packages that are loaded when first used.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { argumentError } from './errors.js'
import { BodyType } from './table.js'

export type BodyKind = 'bytes' | 'utf8' | 'json' | 'messagepack' | 'cbor'

const kinds: string[] = ['bytes', 'utf8', 'json', 'messagepack', 'cbor']

/** A body that says how it is encoded; wherever a body is taken. Made by `encode()`. */
export class Encoded {
  /** @internal */
  constructor(
    readonly bytes: Uint8Array,
    /** @internal */
    readonly bodyType: number,
  ) {}

  get type(): BodyKind {
    return kinds[this.bodyType] as BodyKind
  }
}

/** The number of a kind. */
export function typeOf(kind: BodyKind): number {
  const type = kinds.indexOf(kind)
  if (type < 0) throw argumentError(`${String(kind)} is none of ${kinds.join(', ')}`)
  return type
}

export function kindOf(bodyType: number): string {
  return kinds[Math.max(0, bodyType)] ?? 'other'
}

/**
 * A value as a body of that kind. `messagepack` and `cbor` carry null, booleans, numbers, BigInt from -2^63 to 2^64 - 1,
 * texts, bytes, arrays and plain objects to programs in any language; CBOR also a Map. They need the packages
 * `@msgpack/msgpack` and `cborg`.
 */
export function encode(value: unknown, kind: BodyKind): Encoded {
  switch (kind) {
    case 'bytes': {
      if (value instanceof ArrayBuffer) return new Encoded(new Uint8Array(value), BodyType.bytes)
      if (!ArrayBuffer.isView(value)) throw argumentError(`a ${typeof value} is no bytes`)
      return new Encoded(new Uint8Array(value.buffer, value.byteOffset, value.byteLength), BodyType.bytes)
    }
    case 'utf8':
      if (typeof value !== 'string') throw argumentError(`a ${typeof value} is no text`)
      return new Encoded(Buffer.from(value), BodyType.utf8)
    case 'json':
      return new Encoded(Buffer.from(jsonOf(value)), BodyType.json)
    case 'messagepack':
      return new Encoded(msgpack().encode(plain(value, false), { useBigInt64: true }), BodyType.messagePack)
    case 'cbor':
      return new Encoded(cborg().encode(plain(value, true)), BodyType.cbor)
    default:
      throw argumentError(`${String(kind)} is none of ${kinds.join(', ')}`)
  }
}

/** A value as JSON; what is none (a function, a cycle, a BigInt) is refused. */
export function jsonOf(value: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    if (error instanceof TypeError) throw argumentError(`it cannot be sent as JSON: ${error.message.split('\n')[0]}`)
    throw error
  }
  if (text === undefined) throw argumentError(`a ${typeof value} cannot be sent`)
  return text
}

/** What a body of this type says. Throws a SyntaxError where it is none. */
export function decode(bytes: Uint8Array, bodyType: number): unknown {
  switch (bodyType) {
    case BodyType.utf8:
      return textOf(bytes)
    case BodyType.json:
      return JSON.parse(textOf(bytes))
    case BodyType.messagePack: {
      const { decode: read } = msgpack()
      // Whole numbers of 64 bits are there where one of these bytes is; all others are numbers already.
      const large = bytes.includes(0xcf) || bytes.includes(0xd3)
      return reading('MessagePack', () => {
        const value = read(bytes, { useBigInt64: large, mapKeyConverter: textKey })
        return large ? numbers(value) : value
      })
    }
    case BodyType.cbor: {
      const { decode: read } = cborg()
      return reading('CBOR', () => objects(read(bytes, { useMaps: true })))
    }
    default:
      return bytes
  }
}

const textOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()

function textKey(key: unknown): string {
  if (typeof key !== 'string') throw new Error('the key of a map is no text')
  return key
}

function reading(name: string, read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    throw new SyntaxError(`the body is no ${name}: ${(error as Error).message}`, { cause: error })
  }
}

const LEAST = -(2n ** 63n)
const MOST = 2n ** 64n - 1n

// A copy of what both libraries encode the same way; what they would lose without a word is refused.
function plain(value: unknown, cbor: boolean): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'undefined':
      return null
    case 'number': // MessagePack's library makes no whole numbers above 32 bits of numbers
      return !cbor && Number.isSafeInteger(value) && Math.abs(value) > 0x7fffffff ? BigInt(value) : value
    case 'bigint':
      if (value < LEAST || value > MOST) throw argumentError('a BigInt is from -2^63 to 2^64 - 1')
      return value
    case 'object':
      break
    default:
      throw argumentError(`a ${typeof value} cannot be sent`)
  }
  if (value === null) return value
  if (Array.isArray(value)) return value.map((one) => plain(one, cbor))
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof Map) {
    if (!cbor) for (const key of value.keys()) if (typeof key !== 'string') throw argumentError('the keys of a Map in MessagePack are texts')
    const entries = [...value].map(([key, one]): [unknown, unknown] => [plain(key, cbor), plain(one, cbor)])
    return cbor ? new Map(entries) : Object.fromEntries(entries)
  }
  if (value instanceof Date || value instanceof Set || value instanceof Promise) {
    throw argumentError(`a ${value.constructor.name} cannot be sent: send its text, number or members`)
  }
  const copy: [string, unknown][] = []
  for (const [key, one] of Object.entries(value)) if (one !== undefined && typeof one !== 'function') copy.push([key, plain(one, cbor)])
  return Object.fromEntries(copy)
}

// BigInts that are exact as numbers become numbers.
function numbers(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = numbers(value[i])
  } else if (isPlain(value)) {
    for (const key of Object.keys(value)) value[key] = numbers(value[key])
  }
  return value
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype
}

// Maps whose keys are all texts become objects.
function objects(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(objects)
  if (!(value instanceof Map)) return value === undefined ? null : value
  const entries = [...value].map(([key, one]): [unknown, unknown] => [key, objects(one)])
  if (entries.some(([key]) => typeof key !== 'string')) return new Map(entries)
  return Object.fromEntries(entries)
}

interface Library {
  encode(value: unknown, options?: object): Uint8Array
  decode(bytes: Uint8Array, options?: object): unknown
}

let msgpackLibrary: Library | undefined
let cborgLibrary: Library | undefined

function msgpack(): Library {
  return (msgpackLibrary ??= load('@msgpack/msgpack', 'MessagePack'))
}

function cborg(): Library {
  return (cborgLibrary ??= load('cborg', 'CBOR'))
}

function load(name: string, what: string): Library {
  try {
    return require(name) as Library
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const module = code === 'ERR_PACKAGE_PATH_NOT_EXPORTED' ? mainOf(name) : undefined
    if (code !== 'MODULE_NOT_FOUND' && !module) throw error
    if (module) return require(module) as Library
    throw Object.assign(new Error(`bodies in ${what} need the package ${name}: npm install ${name}`, { cause: error }), { code })
  }
}

// The file of a package that names one for `import` alone. Node.js from 20.19 and 22.12 on can require it.
function mainOf(name: string): string | undefined {
  for (const folder of require.resolve.paths(name) ?? []) {
    const description = join(folder, name, 'package.json')
    if (!existsSync(description)) continue
    const { main = 'index.js' } = JSON.parse(readFileSync(description, 'utf8')) as { main?: string }
    return join(folder, name, main)
  }
  return undefined
}
