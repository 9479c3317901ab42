import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { Priority } from '../../src/schemas/enumerations.ts'
import { TRACE_HEADERS } from '../../src/trace-context.ts'
import { until } from '../contract/subject.ts'
import type { ServiceCase } from './service-subject.ts'

const range = (length: number): number[] => Array.from({ length }, (_, index) => index)
const HANDLER_MS = 4
/** Many times what a fetch takes. */
const FETCHED_MS = 500

/** Priorities and traces. */
export const laneCases: readonly ServiceCase[] = [
  {
    name: 'lets an urgent message pass a flood of others, and the flood go on under urgent ones',
    run: async (bench) => {
      const topic = await bench.topic()
      const service = await bench.service()
      const order: string[] = []
      let opened = Promise.resolve()
      await service.subscribeLanes(topic, 'g', async ({ value }) => {
        await pause(HANDLER_MS)
        await opened
        order.push(String(value).split(' ')[0] ?? '')
      })
      // Nothing is handled until what is sent has come: how long that takes is the machine's affair.
      const sendWhileAllWait = async (send: () => Promise<unknown>): Promise<void> => {
        const { promise, resolve } = Promise.withResolvers<void>()
        opened = promise
        await send()
        await pause(FETCHED_MS)
        resolve()
      }
      await service.sendBatch(topic, range(200).map((n) => `background ${n}`), { priority: Priority.BACKGROUND })
      await until('the flood is being handled', () => order.length >= 5)

      const before = order.length
      await sendWhileAllWait(() => service.sendMessage(topic, 'critical', { priority: Priority.CRITICAL }))
      await until('the urgent one is handled', () => order.includes('critical'))
      const waitedFor = order.indexOf('critical') - before
      await sendWhileAllWait(() => service.sendBatch(topic, range(100).map((n) => `high ${n}`), { priority: Priority.HIGH }))
      await until('all urgent ones are handled', () => order.filter((lane) => lane === 'high').length === 100)

      assert.ok(waitedFor < 60, `${waitedFor} others came first`)
      const underHigh = order.slice(order.indexOf('high'), order.lastIndexOf('high'))
      const background = underHigh.filter((lane) => lane === 'background').length
      assert.ok(background >= 5 && background <= 60, `${background} of the flood went on`)
      await until('the flood is over', () => order.length === 301)
    },
  },
  {
    name: 'hands medium messages of senders that know of no lanes to those that do',
    run: async (bench) => {
      const topic = await bench.topic()
      const service = await bench.service()
      const handled: unknown[] = []
      await service.subscribeLanes(topic, 'g', ({ value }) => void handled.push(value))

      await service.sendMessage(topic, 'plain')
      await service.sendMessage(topic, 'medium', { priority: Priority.MEDIUM })

      await until('both are handled', () => handled.length === 2)
      await assert.rejects(service.sendMessage(topic, 'x', { priority: 9 }), { code: 'ERR_MESSAGING_INVALID_ARGUMENT' })
    },
  },
  {
    name: 'carries a trace from message to message, and drops a malformed one',
    run: async (bench) => {
      const [first, second] = [await bench.topic(), await bench.topic()]
      const service = await bench.service()
      const headersOf: Record<string, string>[] = []
      const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
      await service.subscribe(first, 'g', async ({ value }) => void (await service.sendMessage(second, value)))
      await service.subscribe(second, 'g', ({ headers }) => void headersOf.push({ ...headers }))

      await service.sendMessage(first, 'a', { headers: { [TRACE_HEADERS.parent]: `00-${traceId}-00f067aa0ba902b7-01`, [TRACE_HEADERS.state]: 'a=1,b=2', [TRACE_HEADERS.baggage]: 'tenant=t1' } })
      await service.sendMessage(first, 'b', { headers: { [TRACE_HEADERS.parent]: '00-xyz-00f067aa0ba902b7-01', [TRACE_HEADERS.baggage]: 'tenant=t1' } })
      await until('both have come', () => headersOf.length === 2)

      const [traced, bare] = headersOf
      assert.match(traced?.['traceparent'] ?? '', new RegExp(`^00-${traceId}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`))
      assert.deepEqual([traced?.['tracestate'], traced?.['baggage']], ['a=1,b=2', 'tenant=t1'])
      assert.deepEqual([bare?.['traceparent'], bare?.['baggage']], [undefined, undefined])
    },
  },
]
