// Who may join a node's topics and publish to them: rules, and what a function of the application decides.
import type { Core } from './core.js'
import { argumentError, SealwireError } from './errors.js'
import { check } from './known.js'
import type { Peer } from './peer.js'
import { R } from './table.js'
import { isThenable } from './thenable.js'

/** 'join': to get what this node publishes; 'publish': to be heard here. */
export type TopicRight = 'join' | 'publish'

export interface TopicRule {
  /** Of names: `*` stands for any bytes but '/', also none, `**` for any, a backslash takes the sense from what is behind it. */
  pattern: string
  /** Its id; by default each. */
  peer?: string
  /** That the rule speaks of; default: both. */
  rights?: TopicRight[]
  /** Default: 'allow'. 'ask': the function that came with the rules decides. */
  verdict?: 'deny' | 'allow' | 'ask'
}

/** What a rule with 'ask' leaves to the application. */
export interface TopicAsk {
  peer: Peer
  topic: string
  /** That it is about: those which the peer has got need no answer. */
  rights: TopicRight[]
}

export interface TopicRulesOptions {
  /** Says true, false, or the rights that are given, or gives a promise of that. It holds while that session lasts; the peer's join waits for it. */
  onAsk?: (ask: TopicAsk) => boolean | TopicRight[] | Promise<boolean | TopicRight[]>
}

const rightNames: TopicRight[] = ['join', 'publish'] // bits of sw_topic_right
const verdicts = ['deny', 'allow', 'ask'] // sw_verdict

function bitsOf(rights: unknown): number {
  if (!Array.isArray(rights)) throw argumentError('rights are an array')
  let bits = 0
  for (const right of rights) {
    const at = rightNames.indexOf(right)
    if (at < 0) throw argumentError(`a right is one of ${rightNames.join(', ')}`)
    bits |= 1 << at
  }
  return bits
}

export class TopicRules {
  private onAsk: TopicRulesOptions['onAsk']
  private warned = false // that rules ask and nobody decides
  private early: { peer: Peer; topic: string; rights: number }[] = [] // about peers whose connection is told of next

  constructor(private readonly core: Core) {}

  set(rules: TopicRule[] | undefined, options: TopicRulesOptions): void {
    check(options, 'topicRules')
    const { onAsk } = options
    if (onAsk !== undefined && typeof onAsk !== 'function') throw argumentError('onAsk is a function')
    if (rules !== undefined && !Array.isArray(rules)) throw argumentError('rules are an array')
    const flat: unknown[] = []
    for (const rule of rules ?? []) {
      check(rule, 'topicRule')
      const { pattern, peer, rights = rightNames, verdict = 'allow' } = rule
      if (typeof pattern !== 'string') throw argumentError('a pattern is a string')
      if (peer !== undefined && typeof peer !== 'string') throw argumentError('the id of a peer is a string')
      if (!verdicts.includes(verdict)) throw argumentError(`verdict is none of ${verdicts.join(', ')}`)
      flat.push(pattern, peer, bitsOf(rights), verdicts.indexOf(verdict))
    }
    if (this.core.closing) throw this.core.closedError()
    const before = this.onAsk
    this.onAsk = onAsk
    try {
      this.core.box.setTopicRules(rules && flat)
    } catch (error) {
      this.onAsk = before
      throw error
    }
    this.warned = false
  }

  asked(peer: Peer, topic: string, rights: number): void {
    if (!peer.up) return void this.early.push({ peer, topic, rights })
    const answer = (given: number) => {
      if (this.core.peers[peer.slot] !== peer) return // it has gone meanwhile
      try {
        this.core.box.decideTopic(topic, peer.slot, given & rights)
      } catch (error) {
        if (!(error instanceof SealwireError && [R.state, R.handle, R.closed].includes(error.result))) this.core.report(error)
      }
    }
    const failed = (error: unknown) => {
      this.core.reportOf(`the decision about ${peer.id} and the topic ${JSON.stringify(topic)} failed, it is denied`, error, peer)
      answer(0)
    }
    const decide = (granted: unknown) => {
      if (typeof granted !== 'boolean' && !Array.isArray(granted)) return failed(argumentError('onAsk gives true, false or an array of rights'))
      try {
        answer(granted === true ? rights : granted === false ? 0 : bitsOf(granted))
      } catch (error) {
        failed(error)
      }
    }
    if (!this.onAsk) {
      const words = `a rule asks about ${peer.id} and the topic ${JSON.stringify(topic)}, but there is no onAsk: it is denied, and so are others`
      if (!this.warned) this.core.warn(words, peer)
      this.warned = true
      return answer(0)
    }
    try {
      const granted: unknown = this.onAsk({ peer, topic, rights: rightNames.filter((_, bit) => rights & (1 << bit)) })
      if (isThenable(granted)) granted.then(decide, failed)
      else decide(granted)
    } catch (error) {
      failed(error)
    }
  }

  connected(peer: Peer): void {
    const early = this.early.filter((one) => one.peer === peer)
    if (early.length === 0) return
    this.early = this.early.filter((one) => one.peer !== peer)
    for (const { topic, rights } of early) this.asked(peer, topic, rights)
  }

  gone(peer: Peer): void {
    if (this.early.length > 0) this.early = this.early.filter((one) => one.peer !== peer)
  }
}
