// Topics: the joins of a node, and the events that belong to them.
import type { Core } from './core.js'
import { argumentError, errorOf } from './errors.js'
import { check } from './known.js'
import { native } from './native.js'
import { onAbort, size, truth } from './options.js'
import type { Peer } from './peer.js'
import { E, EventType, R, SEALED_TOPIC } from './table.js'
import { Topic, TopicMessage, type TopicOptions } from './topic.js'
import { TopicRules } from './topic_rules.js'

const slows = ['dropOldest', 'dropNewest', 'block', 'disconnect'] // sw_slow

function checkSecret(secret: string): void {
  if (typeof secret !== 'string') throw argumentError('secret is not a string')
  native.topicSecretCheck(secret) // '' is none, which a program that means to have one is told
}

interface Told {
  id: string
  result: number
  code: number
  count: number
  bytes: number
  refused: number
  publisher: boolean
  hub: boolean
}

export class Topics {
  private readonly all = new Map<number, Topic>()
  readonly rules: TopicRules
  private next = 1
  private early: { topic: Topic; peer: Peer; told: Told }[] = [] // members whose connection is told of next

  constructor(private readonly core: Core) {
    this.rules = new TopicRules(core)
  }

  get size(): number {
    return this.all.size
  }

  join(name: string, options: TopicOptions): Promise<Topic> {
    return new Promise((resolve, reject) => {
      if (typeof name !== 'string') throw argumentError('a topic is a string')
      check(options, 'topic')
      const { slow = 'dropOldest', secret, signal } = options
      const publishOnly = truth(options.publishOnly, 'publishOnly')
      if (!slows.includes(slow)) throw argumentError(`slow is none of ${slows.join(', ')}`)
      if (secret !== undefined) checkSecret(secret)
      if (signal?.aborted) throw signal.reason
      const { core } = this
      if (core.closing) throw core.closedError()
      const topic = new Topic(core, name, publishOnly)
      topic.number = this.next++ + (secret === undefined ? 0 : SEALED_TOPIC)
      core.box.joinTopic(topic.number, name, slows.indexOf(slow), size(options.queueBytes, 'queueBytes'),
        size(options.creditBytes, 'creditBytes'), publishOnly, truth(options.keepLast, 'keepLast'), truth(options.wantLast, 'wantLast'), secret)
      this.all.set(topic.number, topic)
      core.commands.hold() // until it is joined
      const end = (then: () => void) => {
        core.commands.release()
        then()
      }
      topic.waits = { resolve: () => end(() => resolve(topic)), reject: (reason) => end(() => reject(reason)) }
      core.inUse()
      const forget = onAbort(signal, (reason) => {
        topic.waits?.reject(reason)
        topic.waits = undefined
        topic.abort(reason)
      })
      if (forget) void topic.closed.then(forget)
    })
  }

  async leave(name: string): Promise<void> {
    if (typeof name !== 'string') throw argumentError('a topic is a string')
    const joins = [...this.all.values()].filter((topic) => topic.name === name)
    this.core.box.leaveTopics(name)
    await Promise.all(joins.map((topic) => topic.leave()))
  }

  event(peer: Peer | undefined, row: Int32Array, at: number, buffer: ArrayBuffer | undefined, extra: unknown): void {
    const topic = this.all.get(row[at + E.tag]!)
    const type = row[at + E.type] as EventType
    if (type === EventType.topicMessage) {
      if (topic && peer) this.message(topic, peer, row, at, buffer, extra as string | undefined)
      else this.core.take(row[at + E.code]!)
      return
    }
    if (type === EventType.topicAsks) {
      const asked = extra as { name: string; rights: number }
      this.rules.asked(peer ?? this.core.addPeer(row[at + E.peer]!), asked.name, asked.rights)
      return
    }
    if (!topic) return
    const told = extra as Told
    // Of a member that is gone its end may have been told before.
    const whose = () => peer ?? topic.gone(told.id)
    switch (type) {
      case EventType.topicJoined:
        topic.joined = told.count
        topic.refused = told.refused
        if (told.result !== R.ok) topic.refusal = errorOf(told.result, { status: told.code })
        topic.waits?.resolve(topic)
        topic.waits = undefined
        break
      case EventType.topicMemberJoined:
        if (peer?.up) topic.memberJoined(peer, told.publisher, told.hub)
        else this.early.push({ topic, peer: peer ?? this.core.addPeer(row[at + E.peer]!), told })
        break
      case EventType.topicMemberLeft: {
        const member = whose()
        if (member) topic.memberLeft(member)
        if (!member?.up) this.early = this.early.filter((one) => one.topic !== topic || one.told.id !== told.id)
        break
      }
      case EventType.topicRefused:
        if (peer) topic.emit('refused', { peer, reason: errorOf(told.result, { peer: peer.id, status: told.code }) })
        break
      case EventType.topicWritable:
        topic.writable()
        break
      case EventType.topicDropped: {
        const member = whose()
        if (member) topic.emit('dropped', { peer: member, count: told.count, bytes: told.bytes, hub: told.hub })
        break
      }
      case EventType.topicLeft:
        this.all.delete(topic.number)
        this.core.inUse()
        topic.left(this.core.closing ? this.core.closedError() : errorOf(R.closed, { detail: `the topic ${topic.name} was left` }))
        break
      default:
    }
  }

  private message(topic: Topic, peer: Peer, row: Int32Array, at: number, buffer: ArrayBuffer | undefined, signer: string | undefined): void {
    const length = row[at + E.length]!
    const flags = row[at + E.result]!
    topic.message(new TopicMessage(topic.name, peer, length === 0 ? undefined : buffer, row[at + E.offset]!, length, row[at + E.bodyType]!,
      (row[at + E.low]! >>> 0) + row[at + E.high]! * 2 ** 32, (row[at + E.time]! >>> 0) + (flags >>> 2) * 2 ** 32, (flags & 1) === 1,
      (flags & 2) === 2, row[at + E.code]!, signer))
  }

  connected(peer: Peer): void {
    this.rules.connected(peer)
    if (this.early.length === 0) return
    const early = this.early.filter((one) => one.peer === peer)
    this.early = this.early.filter((one) => one.peer !== peer)
    for (const { topic, told } of early) if (this.all.has(topic.number)) topic.memberJoined(peer, told.publisher, told.hub)
  }

  /** The node is closing: what has come can be read still, and holds nothing up. */
  free(): void {
    for (const topic of this.all.values()) topic.free()
  }

  /** The node is over. */
  lost(): void {
    for (const topic of [...this.all.values()]) topic.left(this.core.closedError())
    this.all.clear()
  }
}
