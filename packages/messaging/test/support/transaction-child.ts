// A process that tests kill in the middle of transactions; prints a line for each thing that it was told is done.
import { writeSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { ValidationError } from '@smart-whale/interfaces'
import { KafkaService } from '../../src/kafka-service.ts'
import { createMemoryTransport } from '../../src/memory/index.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import type { MessagingTransport } from '../../src/transport.ts'

const [task = '', where = '', input = '', output = '', from = '0'] = process.argv.slice(2)
const say = (line: string): void => void writeSync(1, `${line}\n`)

/** `folder:<path>` or `kafka:<broker>,<broker>`. */
function transportAt(address: string): MessagingTransport {
  if (address.startsWith('folder:')) return createMemoryTransport({ dataDir: address.slice('folder:'.length), segmentBytes: 20_000 })
  return createPlatformaticTransport({ brokers: address.slice('kafka:'.length).split(','), sessionTimeoutMs: 2_000, heartbeatIntervalMs: 200 })
}

// It will be killed, and its successors are to start more quickly.
flushCompileCache()
const transport = transportAt(where)
if (task === 'transact') await transactForEver()
if (task === 'copy') await copyForEver()
if (task === 'refuse') await refuseForEver()

/** One transaction after the other: five records over two topics, all with the transaction's number; every fifth is taken back. */
async function transactForEver(): Promise<void> {
  await transport.start()
  const producer = await transport.transactional(`transact/${input}`)
  for (let number = Number(from); ; number++) {
    say(`begins ${number}`)
    const transaction = await producer.begin()
    const value = String(number)
    await Promise.all([
      transaction.send(input, [0, 1, 2].map((partition) => ({ value, partition }))),
      transaction.send(output, [{ value }]).then(() => transaction.send(output, [{ value }])),
    ])
    if (number % 5 === 4) await transaction.abort()
    else await transaction.commit()
    say(`${number % 5 === 4 ? 'aborted' : 'committed'} ${number}`)
  }
}

/** Copies each message of one topic to the other. */
async function copyForEver(): Promise<void> {
  const service = new KafkaService(transport)
  await service.connect()
  await service.transform(
    input,
    `copy-${input}`,
    async (messages, transaction) => {
      for (const { value, key } of messages) await transaction.sendMessage(output, value, { key })
      say(`copied ${messages.length}`)
    },
    { batchSize: 10 },
  )
  say('joined')
  while ((await service.getConsumerLag(input, `copy-${input}`)).total > 0n) await new Promise((resolve) => setTimeout(resolve, 50))
  say('all')
}

/** Refuses every third message of a topic, so that it goes to the dead letters. */
async function refuseForEver(): Promise<void> {
  const service = new KafkaService(transport)
  await service.connect()
  await service.subscribeBatch(
    input,
    `refuse-${input}`,
    (messages) => messages.filter(({ value }) => Number(value) % 3 === 0).map((message) => ({ message, error: new ValidationError('every third', { issues: [] }) })),
    { batchSize: 7, deadLettersOnce: true, breaker: false },
  )
  say('joined')
}
