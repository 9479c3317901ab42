import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { readTopic, until } from '../../test/contract/subject.ts'
import { COMMITS_BEFORE_A_KILL, judgeTransactions, killInTransactions, seeded, startTransactionChild } from '../../test/support/killed-children.ts'
import { withFolder } from '../../test/support/log-fixture.ts'
import { createMemoryTransport, type MemoryTransport, type MemoryTransportOptions } from './transport.ts'

/** Counted and not timed: a busy machine is slow. */
const RECORDS_BEFORE_A_KILL = 30
const CHILD = fileURLToPath(new URL('../../test/support/broker-child.ts', import.meta.url))

function startChild(...args: string[]): { child: ChildProcess; output: () => string; errors: () => string } {
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', CHILD, ...args])
  let [output, errors] = ['', '']
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()))
  return { child, output: () => output, errors: () => errors }
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  await closed
}

async function withTransport<T>(options: MemoryTransportOptions, run: (transport: MemoryTransport) => Promise<T>): Promise<T> {
  const transport = createMemoryTransport(options)
  await transport.start()
  try {
    return await run(transport)
  } finally {
    await transport.stop()
  }
}

/** What the child said was stored before it was killed: only whole lines count. */
function acknowledged(output: string): { records: Map<string, string>; committed: Map<string, bigint> } {
  const records = new Map<string, string>()
  const committed = new Map<string, bigint>()
  for (const line of output.split('\n').slice(0, -1)) {
    const [, partition = '', rest = ''] = /^(\d+|committed) (.*)$/.exec(line) ?? []
    if (partition === 'committed') committed.set(rest.split(' ')[0] ?? '', BigInt(rest.split(' ')[1] ?? 0))
    else records.set(`${partition} ${rest.split(' ', 1)[0]}`, rest.slice(rest.indexOf(' ') + 1))
  }
  return { records, committed }
}

describe('a broker that is killed', () => {
  it('has, started again, every record and every commit that it acknowledged, each record once', () =>
    withFolder(async (dataDir) => {
      const expected = new Map<string, string>()
      for (let round = 0; round < 5; round++) {
        const { child, output, errors } = startChild('send', dataDir, String(round * 1_000_000))
        const said = (): ReturnType<typeof acknowledged> => acknowledged(output())
        await expect.poll(() => said().records.size >= RECORDS_BEFORE_A_KILL && said().committed.size > 0, { interval: 10, message: errors() }).toBe(true)
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 300))
        await kill(child)
        for (const [position, value] of said().records) expected.set(position, value)

        await withTransport({ dataDir }, async (transport) => {
          const stored = await readTopic(transport, 'killed')
          const found = new Map(stored.map((record) => [`${record.partition} ${record.offset}`, record.value]))
          expect(errors()).toBe('')
          expect(found.size).toBe(stored.length)
          for (const [position, value] of expected) expect(found.get(position)).toBe(value)
          expect(new Set(stored.map((record) => record.value)).size).toBe(stored.length)
          for (const { partition, committed } of await transport.groupLag('killed', 'killed')) {
            expect(committed ?? 0n).toBeGreaterThanOrEqual(said().committed.get(String(partition)) ?? 0n)
          }
        })
      }
      expect(expected.size).toBeGreaterThanOrEqual(5 * RECORDS_BEFORE_A_KILL)
    }),
  )
})

describe('a broker that is killed in the middle of transactions', () => {
  const children: ChildProcess[] = []
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  it('has, started again, all or nothing of each, as was told', () =>
    withFolder(async (dataDir) => {
      await withTransport({ dataDir }, async ({ topics }) => {
        await topics.create('one', { partitions: 3 })
        await topics.create('other', { partitions: 1 })
      })

      const told = await killInTransactions(12, seeded(5), (from) => startTransactionChild(children, 'transact', `folder:${dataDir}`, 'one', 'other', String(from)))

      await withTransport({ dataDir }, async (transport) => {
        const values = [...(await readTopic(transport, 'one')), ...(await readTopic(transport, 'other'))].map(({ value }) => value)
        expect(judgeTransactions(values, told)).toEqual([])
        expect(told.committed.size).toBeGreaterThanOrEqual(12 * COMMITS_BEFORE_A_KILL)
      })
    }),
  )

  it('copies each message once', () =>
    withFolder(async (dataDir) => {
      const numbers = Array.from({ length: 1_000 }, (_, index) => String(index))
      await withTransport({ dataDir }, async (transport) => {
        for (const topic of ['input', 'output']) await transport.topics.create(topic, { partitions: 2 })
        await transport.send('input', numbers.map((value) => ({ value, key: value, headers: { 'content-type': 'text/plain' } })))
      })
      const random = seeded(13)

      for (let round = 0; round < 8; round++) {
        const child = startTransactionChild(children, 'copy', `folder:${dataDir}`, 'input', 'output')
        await until('it copies', () => child.lines().some((line) => line.startsWith('copied') || line === 'all'))
        await new Promise((resolve) => setTimeout(resolve, random() * 30))
        await child.kill()
      }
      const last = startTransactionChild(children, 'copy', `folder:${dataDir}`, 'input', 'output')
      await until('all is copied', () => last.lines().includes('all'))
      await last.kill()

      await withTransport({ dataDir }, async (transport) => {
        const copied = (await readTopic(transport, 'output')).map(({ value }) => value)
        expect(copied.sort((a, b) => Number(a) - Number(b))).toEqual(numbers)
      })
    }),
  )
})

describe('a data folder', () => {
  it('belongs to one broker at a time, and is free again when that one is killed', () =>
    withFolder(async (dataDir) => {
      const { child, output } = startChild('open', dataDir)
      await expect.poll(output).toContain('open')
      const second = createMemoryTransport({ dataDir })

      await expect(second.start()).rejects.toMatchObject({
        code: 'ERR_MESSAGING_LOG_BUSY',
        message: expect.stringContaining(`in use by process ${child.pid}`) as string,
      })
      await kill(child)

      await second.start()
      const third = createMemoryTransport({ dataDir })
      await expect(third.start()).rejects.toMatchObject({ code: 'ERR_MESSAGING_LOG_BUSY' })
      await second.stop()
      await third.start()
      await third.stop()
    }),
  )

  it('keeps topics, their records, ids and settings, and the progress of groups', () =>
    withFolder(async (dataDir) => {
      const before = await withTransport({ dataDir }, async (transport) => {
        await transport.topics.create('kept', { partitions: 2, configs: { 'retention.ms': '86400000' } })
        await transport.send('kept', [0, 0, 1].map((partition) => ({ partition, key: 'k', value: `in ${partition}` })))
        const committed = Promise.withResolvers<void>()
        await transport.join({
          groupId: 'readers/with any: näme',
          topics: ['kept'],
          onPartition: async (reader) => {
            if (reader.partition === 0) await reader.commit(2n).then(committed.resolve)
          },
        })
        await committed.promise
        return transport.topics.describe('kept')
      })

      await withTransport({ dataDir }, async (transport) => {
        expect(await transport.topics.describe('kept')).toEqual(before)
        expect((await readTopic(transport, 'kept')).map((record) => record.value)).toEqual(['in 0', 'in 0', 'in 1'])
        expect(await transport.groupLag('readers/with any: näme', 'kept')).toEqual([
          { partition: 0, committed: 2n, metadata: '', latest: 2n, lag: 0n },
          { partition: 1, committed: null, metadata: '', latest: 1n, lag: 1n },
        ])
      })
    }))

  it('has nothing left of a deleted topic, nor of one that was half made', () =>
    withFolder(async (dataDir) => {
      await withTransport({ dataDir }, async (transport) => {
        await transport.topics.create('gone', { partitions: 1 })
        await transport.send('gone', [{ value: 'x' }])
        await transport.topics.delete('gone')
        expect(await readdir(join(dataDir, 'topics'))).toEqual([])
      })
      await mkdir(join(dataDir, 'topics', 'half-made', '0'), { recursive: true })

      await withTransport({ dataDir }, async () => {
        expect(await readdir(join(dataDir, 'topics'))).toEqual([])
      })
    }))

  it('that can not be one is refused, and is free for the next try', () =>
    withFolder(async (folder) => {
      const dataDir = join(folder, 'data')
      const transport = createMemoryTransport({ dataDir })
      const refusal = { code: 'ERR_MESSAGING_LOG_FAILED', message: expect.stringContaining(dataDir) as string }

      await writeFile(dataDir, 'a file')
      await expect(transport.start()).rejects.toMatchObject(refusal)
      await rm(dataDir)
      await mkdir(dataDir)
      await writeFile(join(dataDir, 'topics'), 'a file too')
      await expect(transport.start()).rejects.toMatchObject(refusal)
      await rm(join(dataDir, 'topics'))
      await transport.start()
      await transport.stop()
    }))

  it('is refused with the file named when what says whose records they are is damaged or gone', () =>
    withFolder(async (dataDir) => {
      await withTransport({ dataDir }, (transport) => transport.topics.create('kept', { partitions: 1 }))
      const path = join(dataDir, 'topics.json')
      const whole = await readFile(path, 'utf8')
      const refusal = { code: 'ERR_MESSAGING_LOG_CORRUPT', message: expect.stringContaining(path) as string }
      const transport = createMemoryTransport({ dataDir })

      await writeFile(path, whole.replace('"partitions":1', '"partitions":2'))
      await expect(transport.start()).rejects.toMatchObject(refusal)
      await writeFile(path, '')
      await expect(transport.start()).rejects.toMatchObject(refusal)
      await writeFile(path, whole)
      await transport.start()
      await transport.stop()
    }))
})

describe('a large log', () => {
  it('is opened fast, and read with little memory', { timeout: 300_000 }, () =>
    withFolder(async (dataDir) => {
      const { child, output, errors } = startChild('measure', dataDir, '3000000')
      await once(child, 'close')

      expect(errors()).toBe('')
      const measured = JSON.parse(output()) as { openMs: number; readMs: number; read: number; grewBytes: number }
      expect(measured.read).toBe(3_000_000)
      // What reads all of it to open it takes as long as reading does.
      expect(measured.openMs).toBeLessThan(Math.max(2_000, measured.readMs / 4))
      // The log has 450 MB; what is read at a time, and what the collector has not got to yet, is all there is in memory.
      expect(measured.grewBytes).toBeLessThan(250_000_000)
    }),
  )
})
