// Finds and loads the native half: the prebuilt file of this package first, then the package of this platform.
import { platformName } from './platform.js'

/** What sealwire.node exports. */
export interface Native {
  version(): string
  abiVersion(): number
}

function load(): Native {
  const platform = platformName()
  const places = [`../prebuilds/${platform}/sealwire.node`, `@sealwire/${platform}/sealwire.node`]
  for (const place of places) {
    try {
      return require(place) as Native
    } catch (error) {
      // Only an absent file leads on to the next place; a file that cannot be loaded says itself why.
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    }
  }
  throw new Error(`sealwire has no build for ${platform}; looked for ${places.join(' and ')}`)
}

export const native: Native = load()
