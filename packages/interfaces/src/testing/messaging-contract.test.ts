import { describe, expect, it } from 'vitest'
import type { MessageHandler, ReceivedMessage } from '../messaging.ts'
import { failuresOf } from './doubles/failures-of.ts'
import { type QueueBroker, QueueMessaging, queueSubject } from './doubles/queue-messaging.ts'
import { messagingContract } from './index.ts'

describe('messagingContract on a client that keeps it', () => {
  it.each(messagingContract)('$name', ({ run }) => run({ ...queueSubject(), patienceMs: 60_000 }))
})

class ThroughJson extends QueueMessaging {
  override publishKeyed(topic: string, key: string | null, value: unknown): Promise<void> {
    return super.publishKeyed(topic, key, value === undefined ? value : (JSON.parse(JSON.stringify(value) ?? '0') as unknown))
  }
}

class Forgetful extends QueueMessaging {
  override async publishKeyed(topic: string, key: string | null, value: unknown): Promise<void> {
    if (value !== 'message 7') await super.publishKeyed(topic, key, value)
  }
}

class WithoutKeys extends QueueMessaging {
  override publishKeyed(topic: string, _key: string | null, value: unknown): Promise<void> {
    return super.publishKeyed(topic, null, value)
  }
}

class NoRetry extends QueueMessaging {
  protected override async handled(handler: MessageHandler, message: ReceivedMessage): Promise<boolean> {
    await (async () => handler(message, { signal: new AbortController().signal }))().catch(() => {})
    return true
  }
}

class DeadAtOnce extends QueueMessaging {
  protected override async handled(handler: MessageHandler, message: ReceivedMessage): Promise<boolean> {
    return (async () => handler(message, { signal: new AbortController().signal }))().then(
      () => true,
      () => false,
    )
  }
}

/** Does not wait for a handler before it goes on to the next message. */
class Overtaking extends QueueMessaging {
  protected override async handled(handler: MessageHandler, message: ReceivedMessage): Promise<boolean> {
    void super.handled(handler, message)
    return true
  }
}

class OneTopic extends QueueMessaging {
  override publishKeyed(topic: string, key: string | null, value: unknown): Promise<void> {
    for (const other of this.broker.logs.keys()) if (other !== topic) void super.publishKeyed(other, key, value)
    return super.publishKeyed(topic, key, value)
  }
}

class FromTheEnd extends QueueMessaging {
  override subscribe(topic: string, handler: MessageHandler): Promise<void> {
    this.broker.positions.set(topic, this.broker.logOf(topic).length)
    return super.subscribe(topic, handler)
  }
}

class StillSubscribed extends QueueMessaging {
  override async unsubscribe(): Promise<void> {}
}

class StillConnected extends QueueMessaging {
  override async disconnect(): Promise<void> {}
}

class Unchecked extends QueueMessaging {
  override async publishKeyed(): Promise<void> {}
}

const broken: readonly [string, string, (broker: QueueBroker) => QueueMessaging][] = [
  ['bytes go through JSON', 'as they were given', (broker) => new ThroughJson(broker)],
  ['a message gets lost', 'each of many messages', (broker) => new Forgetful(broker)],
  ['keys are lost', 'under which key', (broker) => new WithoutKeys(broker)],
  ['messages overtake each other', 'the order within a key', (broker) => new Overtaking(broker)],
  ['a message goes to every topic', 'keeps topics apart', (broker) => new OneTopic(broker)],
  ['what came meanwhile is skipped', 'where it left off', (broker) => new FromTheEnd(broker)],
  ['a failed message is dropped', 'delivers a message again', (broker) => new NoRetry(broker)],
  ['a failed message is given up at once', 'delivers a message again', (broker) => new DeadAtOnce(broker)],
  ['unsubscribe does nothing', 'nothing after unsubscribe', (broker) => new StillSubscribed(broker)],
  ['disconnect leaves handlers behind', 'waits for what is being handled', (broker) => new StillConnected(broker)],
  ['a disconnected client publishes', 'refuses to publish afterwards', (broker) => new StillConnected(broker)],
  ['any topic name is taken', 'topic names that no broker takes', (broker) => new Unchecked(broker)],
  ['undefined is taken for a message', 'what is no message', (broker) => new Unchecked(broker)],
]

describe('messagingContract on a client that breaks it', () => {
  it.each(broken)('notices that %s', async (_fault, only, create) => {
    const failed = await failuresOf(messagingContract, () => queueSubject(create), only)

    expect(failed).toHaveLength(1)
  })
})
