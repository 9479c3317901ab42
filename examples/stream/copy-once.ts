// Makes messages of messages, each exactly once: what is made and the progress past what it was made of are one transaction.
import { KafkaService } from '@smart-whale/messaging'
import { createMemoryTransport } from '@smart-whale/messaging/memory'

const service = new KafkaService(createMemoryTransport()) // on a cluster: createKafkaJsTransport({ brokers: [...] })
await service.connect()
for (const topic of ['orders', 'invoices', 'audit']) await service.createTopic(topic, 3)

let failedOnce = false
await service.transform('orders', 'billing', async (orders, transaction) => {
  for (const { key, value } of orders) {
    const { id, cents } = value as { id: number; cents: number }
    await transaction.sendMessage('invoices', { id, euros: cents / 100 }, { key })
    if (id === 7 && !failedOnce) {
      failedOnce = true
      throw new Error('the printer jams') // what this run has sent is dropped; the next run sends it
    }
  }
})

// Without a source: messages of several topics that are seen all together, or not at all.
await service.transaction(async (transaction) => {
  await transaction.sendBatch('orders', Array.from({ length: 20 }, (_, id) => ({ id, cents: 1250 })), { key: (order) => `customer-${(order as { id: number }).id % 4}` })
  await transaction.sendMessage('audit', '20 orders were placed')
})

const invoices: number[] = []
const all = Promise.withResolvers<void>()
await service.subscribe('invoices', 'reader', ({ value }) => {
  invoices.push((value as { id: number }).id)
  if (invoices.length === 20) all.resolve()
})
await all.promise
console.log('invoices:', invoices.length, 'different:', new Set(invoices).size, 'lag:', (await service.getConsumerLag('orders', 'billing')).total)
await service.disconnect()
