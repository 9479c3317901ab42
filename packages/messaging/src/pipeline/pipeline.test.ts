import { afterEach, describe, expect, it } from 'vitest'
import { createMemoryTransport } from '../memory/index.ts'
import type { MessagingTransport } from '../transport.ts'
import { definePipelines } from './define-pipelines.ts'
import { createPipeline, type Pipeline } from './pipeline.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'

const definition = definePipelines([{ topic: 'rides', fields: { id: 'int64', time: 'timestamp' }, time: 'time' }])[0] as PipelineDefinition
const open: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.stop()
})

async function running(signal?: AbortSignal): Promise<{ transport: MessagingTransport; pipeline: Pipeline; health: () => Promise<unknown> }> {
  const transport = createMemoryTransport()
  await transport.start()
  const pipeline = createPipeline({ definition, transport, stores: { clickhouse: null, timescaledb: null, ledger: null } })
  await pipeline.start({ signal })
  open.push(transport, pipeline)
  return { transport, pipeline, health: () => pipeline.healthProbe().check({ signal: new AbortController().signal }) }
}

describe('a running pipeline whose topic is deleted', () => {
  it('is down and says why and what to do, and is up again once the topic is there', async () => {
    const { transport, pipeline, health } = await running()
    expect(await health()).toEqual({ status: 'up' })

    await transport.topics.delete('rides')

    expect(await health()).toEqual({ status: 'down', detail: expect.stringMatching(/^topic "rides" is gone: .*Make it again/) as string })
    expect(pipeline.status()).toMatchObject({ state: 'paused', reason: expect.stringContaining('is gone') as string })
    await transport.topics.create('rides', { partitions: 1 })
    expect(await health()).toEqual({ status: 'up' })
    expect(pipeline.status()).toMatchObject({ state: 'running', reason: null })
    await expect.poll(() => pipeline.status().partitions.length).toBe(1)
  })

  it('is not said of one whose broker does not answer', async () => {
    const { transport, pipeline, health } = await running()
    await transport.stop()

    await health()

    expect(pipeline.status().reason).toBeNull()
  })
})

describe('a pipeline that was started with a signal', () => {
  it('leaves its group as soon as that aborts, however long ago it started', async () => {
    const stop = new AbortController()
    const { transport, pipeline } = await running(stop.signal)
    await expect.poll(() => pipeline.status().partitions.length).toBe(4)

    stop.abort()

    const taken = new Set<number>()
    const successor = await transport.join({ groupId: pipeline.groupId, topics: ['rides'], onPartition: async ({ partition }) => void taken.add(partition) })
    await expect.poll(() => taken.size).toBe(4)
    expect(pipeline.status()).toMatchObject({ state: 'stopped', partitions: [] })
    await successor.leave()
  })

  it('is told to stop once more meanwhile: that is over when it has left, and not before', async () => {
    const transport = createMemoryTransport()
    await transport.start()
    let hasLeft = false
    const joining: Pick<MessagingTransport, 'join'> = {
      join: async (join) => {
        const membership = await transport.join(join)
        const leave = async (): Promise<void> => {
          await membership.leave()
          await new Promise((resolve) => setTimeout(resolve, 20))
          hasLeft = true
        }
        return { ...membership, failed: membership.failed, leave }
      },
    }
    const slow = new Proxy(transport, { get: (target, name) => (name === 'join' ? joining.join : Reflect.get(target, name, target)) })
    const stop = new AbortController()
    const pipeline = createPipeline({ definition, transport: slow, stores: { clickhouse: null, timescaledb: null, ledger: null } })
    open.push(transport, pipeline)
    await pipeline.start({ signal: stop.signal })

    stop.abort()
    await pipeline.stop()

    expect(hasLeft).toBe(true)
  })

  it('that has aborted does not stay in the group', async () => {
    const { pipeline } = await running(AbortSignal.abort()).catch(() => ({ pipeline: null }))

    expect(pipeline?.status().state ?? 'never started').not.toBe('running')
  })
})
