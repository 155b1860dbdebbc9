// Draft: what many messages have in common, converted, checked and encoded once.
import { extrasOf, type CarriedOptions } from './carried.js'
import { Encoded, encode, jsonOf, kindOf, typeOf, type BodyKind } from './codecs.js'
import type { Commands } from './commands.js'
import { argumentError } from './errors.js'
import { check } from './known.js'
import type { Body } from './message.js'
import type { NativeExtras, NativeNode } from './native.js'
import { BodyType } from './table.js'

export interface DraftOptions {
  /** How all bodies are encoded; by default each says it itself, as everywhere. */
  type?: BodyKind
  /** Texts by name, or a list of pairs; those of a message come behind, 4 KiB in all. */
  metadata?: CarriedOptions['metadata']
}

interface Held {
  native: NativeNode
  places: (number | undefined)[]
}

const dropped = new FinalizationRegistry<Held>(({ native, places }) => {
  for (const place of places) if (place !== undefined) native.freeDraft(place)
})

/**
 * A route, and if wanted a type and metadata, of messages that are sent again and again. Made by `node.draft()`; it stands in place
 * of the route in whatever sends to peers of that node.
 */
export class Draft {
  private readonly bodyType: number // BodyType.none: that of each body
  private readonly extras: NativeExtras | undefined
  private readonly places: (number | undefined)[] = [] // in the native half, by the type of bodies

  /** @internal */
  constructor(
    private readonly native: NativeNode,
    /** @internal Of its node. */
    readonly commands: Commands,
    readonly route: string,
    options: DraftOptions,
  ) {
    if (typeof route !== 'string') throw argumentError('a route is a string')
    check(options, 'draft')
    this.bodyType = options.type === undefined ? BodyType.none : typeOf(options.type)
    this.extras = extrasOf({ metadata: options.metadata })
    this.place(Math.max(this.bodyType, BodyType.bytes))
    dropped.register(this, { native, places: this.places })
  }

  /** How all bodies are encoded; undefined: each says it itself. */
  get type(): BodyKind | undefined {
    return this.bodyType === BodyType.none ? undefined : (kindOf(this.bodyType) as BodyKind)
  }

  toString(): string {
    return this.route
  }

  /** @internal Its number in the native half, for bodies of this type. */
  place(bodyType: number): number {
    return (this.places[bodyType] ??= this.native.draft(this.route, bodyType, this.extras))
  }

  /** @internal The type of a body that fit() has given; `found` is what it says itself. */
  typeFor(found: number): number {
    return this.bodyType === BodyType.none ? found : this.bodyType
  }

  /** @internal A body whose bytes, or whose text, are what is sent. */
  fit(body: Body): Body {
    const { bodyType } = this
    if (bodyType === BodyType.none || body === undefined) return body
    if (body instanceof Encoded) {
      if (body.bodyType === bodyType) return body
    } else if (bodyType > BodyType.json) {
      return encode(body, kindOf(bodyType) as BodyKind)
    } else if (body instanceof Uint8Array || body instanceof ArrayBuffer) {
      return body
    } else if (bodyType === BodyType.json) {
      return jsonOf(body)
    } else if (bodyType === BodyType.utf8 && typeof body === 'string') {
      return body
    }
    const what = body instanceof Encoded ? body.type : typeof body
    throw argumentError(`the draft's type is ${kindOf(bodyType)}: ${what} is no body for it`)
  }
}
