// The package's face: everything that `import ... from 'sealwire'` and `require('sealwire')` give.
import { native } from './native.js'

/** The release of the library inside, e.g. `0.1.0`. */
export const version: string = native.version()

/** The number that changes when the C ABI breaks. */
export const abiVersion: number = native.abiVersion()
