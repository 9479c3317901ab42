import assert from 'node:assert/strict'
import type { MessageHandler, MessagingInterface, ReceivedMessage } from '../messaging.ts'
import { assertRejected } from './assert-error.ts'
import { contractCase, type ContractCase, type ContractSuite, eventually, pause, uniqueName, within } from './contract-case.ts'

/** A `MessagingInterface` as `messagingContract` checks it. */
export interface MessagingSubject {
  /** A client that isn't connected yet. All that are created in a case speak to one broker, as one consumer group. */
  create(): Promise<MessagingInterface>
  /** Runs for each created client at the end of its case, once it is disconnected. */
  dispose?(messaging: MessagingInterface): Promise<void>
  /** Makes a topic, where they don't make themselves. Topics have letters, digits and underscores. */
  createTopic?(topic: string): Promise<void>
  /** Publishes under a key: messages of one key are handled in order. */
  publishKeyed(messaging: MessagingInterface, topic: string, key: string, message: unknown): Promise<void>
  /** What was given up of a topic so far: the values as they were published. */
  deadLetters(topic: string): Promise<readonly unknown[]>
  /** How long a delivery may take, retries and a change of consumers included, before it counts as lost. @default 20_000 */
  readonly patienceMs?: number
}

/** What a case works with. */
interface Bench {
  readonly subject: MessagingSubject
  readonly messaging: MessagingInterface
  readonly topic: string
  newTopic(): Promise<string>
  /** Waits, as long as the subject may take, until the check no longer throws. */
  arrival(check: () => Promise<void> | void): Promise<void>
  /** Another connected client of the same group. */
  connectAnother(): Promise<MessagingInterface>
}

function messagingCase(name: string, run: (bench: Bench) => Promise<void>): ContractCase<MessagingSubject> {
  return contractCase(name, async (subject) => {
    const created: MessagingInterface[] = []
    const connectAnother = async (): Promise<MessagingInterface> => {
      const messaging = await subject.create()
      created.push(messaging)
      await messaging.connect()
      return messaging
    }
    const newTopic = async (): Promise<string> => {
      const topic = uniqueName('contract')
      await subject.createTopic?.(topic)
      return topic
    }
    const arrival = (check: () => Promise<void> | void): Promise<void> => eventually(check, subject.patienceMs ?? 20_000)
    try {
      await run({ subject, messaging: await connectAnother(), topic: await newTopic(), newTopic, connectAnother, arrival })
    } finally {
      for (const messaging of created) {
        await within(30_000, 'disconnect', messaging.disconnect())
        await subject.dispose?.(messaging)
      }
    }
  })
}

/** A handler that keeps what it is given. */
function collector(): { readonly values: unknown[]; readonly handle: MessageHandler } {
  const values: unknown[] = []
  return { values, handle: (message) => void values.push(message.value) }
}

/** Each value once, in the order of its first arrival: a message may be delivered again. */
const firstArrivals = (values: readonly unknown[]): unknown[] => [...new Set(values)]

const deliveryCases: ContractSuite<MessagingSubject> = [
  messagingCase('delivers objects, texts and bytes as they were given', async ({ messaging, topic, arrival }) => {
    const sent = [
      { text: '🐳 "quoted"', nested: { list: [1, null, true], empty: {} } },
      ['a', 1],
      'a text, not JSON: {',
      '"quoted"',
      '',
      Uint8Array.from({ length: 256 }, (_value, index) => index),
    ]
    const { values, handle } = collector()
    await messaging.subscribe(topic, handle)
    for (const message of sent) await messaging.publish(topic, message)

    await arrival(() => assert.equal(values.length >= sent.length, true, `${values.length} of ${sent.length} arrived`))
    for (const message of sent) assert.ok(values.some((value) => sameValue(value, message)), `${JSON.stringify(message)} arrived as it was given`)
  }),

  messagingCase('says where, when and under which key', async ({ subject, messaging, topic, arrival }) => {
    const received: ReceivedMessage[] = []
    await messaging.subscribe(topic, (message) => void received.push(message))
    const before = Date.now()
    await messaging.publish(topic, 'without a key')
    await subject.publishKeyed(messaging, topic, 'key-1', 'with a key')

    await arrival(() => assert.ok(received.length >= 2))
    const [plain, keyed] = ['without a key', 'with a key'].map((value) => received.find((message) => message.value === value))
    assert.equal(plain?.topic, topic)
    assert.equal(plain?.key, null)
    assert.equal(typeof plain?.headers, 'object')
    assert.ok(Math.abs((plain?.timestamp ?? 0) - before) < 60_000, 'the time is in milliseconds since the epoch')
    assert.equal(keyed?.key, 'key-1')
  }),

  messagingCase('delivers each of many messages at least once', async ({ messaging, topic, arrival }) => {
    const { values, handle } = collector()
    await messaging.subscribe(topic, handle)
    const sent = Array.from({ length: 300 }, (_value, index) => `message ${index}`)
    await Promise.all(sent.map((message) => messaging.publish(topic, message)))

    await arrival(() => assert.deepEqual(firstArrivals(values).sort(), [...sent].sort()))
  }),

  messagingCase('keeps the order within a key', async ({ subject, messaging, topic, arrival }) => {
    const arrived = new Map<string, number[]>()
    await messaging.subscribe(topic, async ({ key, value }) => {
      const numbers = arrived.get(key as string) ?? []
      arrived.set(key as string, numbers)
      const { number } = value as { number: number }
      // Later messages get the chance to overtake.
      await pause(number % 3)
      if (!numbers.includes(number)) numbers.push(number)
    })
    const numbers = Array.from({ length: 20 }, (_value, index) => index)
    for (const number of numbers) for (const key of ['a', 'b', 'c']) await subject.publishKeyed(messaging, topic, key, { number })

    await arrival(() => assert.equal(['a', 'b', 'c'].every((key) => arrived.get(key)?.length === 20), true, 'all have arrived'))
    for (const key of ['a', 'b', 'c']) assert.deepEqual(arrived.get(key), numbers, `the order of key ${key}`)
  }),

  messagingCase('keeps topics apart', async ({ messaging, topic, newTopic, arrival }) => {
    const other = await newTopic()
    const here = collector()
    const there = collector()
    await messaging.subscribe(topic, here.handle)
    await messaging.subscribe(other, there.handle)
    await messaging.publish(topic, 'here')
    await messaging.publish(other, 'there')

    await arrival(() => assert.ok(here.values.length > 0 && there.values.length > 0))
    assert.deepEqual([firstArrivals(here.values), firstArrivals(there.values)], [['here'], ['there']])
  }),

  messagingCase('goes on where it left off', async ({ messaging, topic, connectAnother, arrival }) => {
    const before = collector()
    await messaging.subscribe(topic, before.handle)
    await messaging.publish(topic, 'while listening')
    await arrival(() => assert.ok(before.values.includes('while listening')))
    await messaging.disconnect()

    const next = await connectAnother()
    await next.publish(topic, 'while nobody listened')
    const after = collector()
    await next.subscribe(topic, after.handle)

    await arrival(() => assert.ok(after.values.includes('while nobody listened')))
  }),
]

const failureCases: ContractSuite<MessagingSubject> = [
  messagingCase('delivers a message again whose handler failed', async ({ subject, messaging, topic, arrival }) => {
    const attempts = new Map<unknown, number>()
    const handled: unknown[] = []
    await messaging.subscribe(topic, ({ value }) => {
      const attempt = (attempts.get(value) ?? 0) + 1
      attempts.set(value, attempt)
      if (attempt === 1) throw new RangeError('not this time')
      handled.push(value)
    })
    for (const value of ['first', 'second']) await messaging.publish(topic, value)

    await arrival(() => assert.deepEqual(firstArrivals(handled).sort(), ['first', 'second']))
    assert.deepEqual(await subject.deadLetters(topic), [])
  }),

  messagingCase('puts a message whose handler keeps failing to the dead letters, and goes on', async ({ subject, messaging, topic, arrival }) => {
    const bad = { id: 'bad', why: '🐳' }
    let attempts = 0
    const good = collector()
    await messaging.subscribe(topic, async (message, context) => {
      if ((message.value as { id?: string }).id !== 'bad') return good.handle(message, context)
      attempts += 1
      throw new RangeError('never')
    })
    await subject.publishKeyed(messaging, topic, 'k', 'before')
    await subject.publishKeyed(messaging, topic, 'k', bad)
    await subject.publishKeyed(messaging, topic, 'k', 'after')

    await arrival(() => assert.deepEqual(firstArrivals(good.values), ['before', 'after']))
    await arrival(async () => assert.deepEqual([...(await subject.deadLetters(topic))], [bad]))
    assert.ok(attempts > 1, 'it was tried more than once')
  }),
]

const endingCases: ContractSuite<MessagingSubject> = [
  messagingCase('delivers nothing after unsubscribe', async ({ messaging, topic, arrival }) => {
    const { values, handle } = collector()
    await messaging.subscribe(topic, handle)
    await messaging.publish(topic, 'before')
    await arrival(() => assert.ok(values.includes('before')))

    await messaging.unsubscribe(topic)
    const handled = values.length
    await messaging.publish(topic, 'after')
    await pause(500)

    assert.equal(values.length, handled)
  }),

  messagingCase('takes unsubscribe from what was never subscribed', async ({ messaging, topic }) => {
    await messaging.unsubscribe(topic)
  }),

  messagingCase('disconnect waits for what is being handled', async ({ messaging, topic, arrival }) => {
    let began = false
    let ended = false
    await messaging.subscribe(topic, async () => {
      began = true
      await pause(400)
      ended = true
    })
    await messaging.publish(topic, 'slow')
    await arrival(() => assert.ok(began))

    await messaging.disconnect()

    assert.equal(ended, true, 'the handler had ended when disconnect resolved')
  }),

  messagingCase('connects and disconnects, each as often as one likes, and refuses to publish afterwards', async ({ messaging, topic }) => {
    await messaging.connect()
    await messaging.publish(topic, 'x')
    await messaging.disconnect()
    await messaging.disconnect()
    await assertRejected(messaging.publish(topic, 'x'), 'InfrastructureError', 'publish after disconnect')
  }),

  messagingCase('refuses topic names that no broker takes', async ({ messaging }) => {
    for (const topic of ['', 'with space', 'a/b', '..', 'x'.repeat(300), 'línea']) {
      await assertRejected(messaging.publish(topic, 'x'), 'ValidationError', `publish to the topic "${topic.slice(0, 20)}"`)
      await assertRejected(
        messaging.subscribe(topic, () => {}),
        'ValidationError',
        `subscribe to the topic "${topic.slice(0, 20)}"`,
      )
    }
  }),

  messagingCase('refuses what is no message', async ({ messaging, topic }) => {
    await assertRejected(messaging.publish(topic, undefined), 'ValidationError', 'publishing undefined')
    await assertRejected(
      messaging.publish(topic, () => 1),
      'ValidationError',
      'publishing a function',
    )
  }),
]

/** What every `MessagingInterface` promises. */
export const messagingContract: ContractSuite<MessagingSubject> = [...deliveryCases, ...failureCases, ...endingCases]

function sameValue(actual: unknown, expected: unknown): boolean {
  if (expected instanceof Uint8Array) return actual instanceof Uint8Array && Buffer.from(actual).equals(Buffer.from(expected))
  try {
    assert.deepEqual(actual, expected)
    return true
  } catch {
    return false
  }
}
