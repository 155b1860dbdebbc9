// Emitter: an EventTarget whose listeners may also be given by on(), once() and off(), with the detail as their argument.

/** What is dispatched: the type, and what on() hands out. */
export class SealwireEvent<T = unknown> extends Event {
  /** Somebody has looked at the detail. */
  seen = false
  readonly #detail: T

  constructor(type: string, detail: T) {
    super(type)
    this.#detail = detail
  }

  get detail(): T {
    this.seen = true
    return this.#detail
  }
}

type Listener = (event: Event) => void

// `Events`: for each type what its listeners get.
export class Emitter<Events extends object> extends EventTarget {
  readonly #wrapped = new Map<string, Map<(detail: never) => void, Listener>>()

  /** Calls `listener` with each event of the type. */
  on<K extends keyof Events & string>(type: K, listener: (detail: Events[K]) => void): this {
    return this.#add(type, listener, false)
  }

  /** Calls `listener` with the next event of the type. */
  once<K extends keyof Events & string>(type: K, listener: (detail: Events[K]) => void): this {
    return this.#add(type, listener, true)
  }

  /** Takes back what on() or once() did. */
  off<K extends keyof Events & string>(type: K, listener: (detail: Events[K]) => void): this {
    const wrapper = this.#wrapped.get(type)?.get(listener)
    if (wrapper) this.removeEventListener(type, wrapper)
    this.#wrapped.get(type)?.delete(listener)
    return this
  }

  #add<K extends keyof Events & string>(type: K, listener: (detail: Events[K]) => void, once: boolean): this {
    this.off(type, listener)
    const wrapper: Listener = (event) => {
      if (once) this.#wrapped.get(type)?.delete(listener)
      listener((event as SealwireEvent<Events[K]>).detail)
    }
    let ofType = this.#wrapped.get(type)
    if (!ofType) this.#wrapped.set(type, (ofType = new Map()))
    ofType.set(listener, wrapper)
    this.addEventListener(type, wrapper, { once })
    return this
  }

  /** @internal True when a listener took it. */
  emit<K extends keyof Events & string>(type: K, detail: Events[K]): boolean {
    const event = new SealwireEvent(type, detail)
    this.dispatchEvent(event)
    return event.seen
  }
}
