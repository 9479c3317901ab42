import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readTopic } from '../../../test/contract/subject.ts'
import { withFolder } from '../../../test/support/log-fixture.ts'
import { writeCheckedFile } from '../checked-file.ts'
import { recordBytes } from '../log/record-layout.ts'
import { encodeRecords } from '../send-records.ts'
import { createMemoryTransport, type MemoryTransport } from '../transport.ts'
import { storedPlan } from './commit-plan.ts'

const GROUP = 'readers'

async function withTransport<T>(dataDir: string, run: (transport: MemoryTransport) => Promise<T>): Promise<T> {
  const transport = createMemoryTransport({ dataDir })
  await transport.start()
  try {
    return await run(transport)
  } finally {
    await transport.stop()
  }
}

const valuesIn = async (transport: MemoryTransport): Promise<(string | null)[]> => (await readTopic(transport, 'events')).map(({ value }) => value)

/** A folder with one record in each of two partitions. */
async function prepare(dataDir: string): Promise<{ topicId: string }> {
  return withTransport(dataDir, async (transport) => {
    await transport.topics.create('events', { partitions: 2 })
    await transport.send('events', [0, 1].map((partition) => ({ value: `before ${partition}`, partition })))
    return { topicId: (await transport.topics.describe('events'))?.id ?? '' }
  })
}

/** Leaves what a broker leaves that dies behind a decision: two records in each partition, and progress. */
async function leaveNote(dataDir: string, topicId: string, offset = 1): Promise<void> {
  const records = [{ value: 'a' }, { value: 'b' }]
  const part = encodeRecords(records, records.reduce((sum, record) => sum + recordBytes(record), 0), 1_000)
  const appends = [0, 1].map((partition) => ({ topicId, partition, offset, parts: [part] }))
  const progress = [{ groupId: GROUP, key: `${topicId}/0`, nextOffset: 1, metadata: 'with them' }]
  await writeCheckedFile(join(dataDir, 'transaction.json'), storedPlan({ appends, progress }), 'write')
}

describe('a transaction that was decided before the broker died', () => {
  it('is finished by the next start, all of it', () =>
    withFolder(async (dataDir) => {
      const { topicId } = await prepare(dataDir)
      await leaveNote(dataDir, topicId)

      await withTransport(dataDir, async (transport) => {
        expect(await valuesIn(transport)).toEqual(['before 0', 'a', 'b', 'before 1', 'a', 'b'])
        expect((await transport.groupLag(GROUP, 'events'))[0]).toMatchObject({ committed: 1n, metadata: 'with them', latest: 3n })
      })
    }),
  )

  it('is not done twice by a start that died while it finished it', () =>
    withFolder(async (dataDir) => {
      const { topicId } = await prepare(dataDir)
      // One partition has them already, as a first attempt left it; the other has not.
      await withTransport(dataDir, (transport) => transport.send('events', ['a', 'b'].map((value) => ({ value, partition: 0 }))))
      await leaveNote(dataDir, topicId)

      await withTransport(dataDir, async (transport) => expect(await valuesIn(transport)).toEqual(['before 0', 'a', 'b', 'before 1', 'a', 'b']))
      await leaveNote(dataDir, topicId)
      await withTransport(dataDir, async (transport) => expect(await valuesIn(transport)).toEqual(['before 0', 'a', 'b', 'before 1', 'a', 'b']))
    }),
  )

  it('goes with a topic that was deleted', () =>
    withFolder(async (dataDir) => {
      await prepare(dataDir)
      await leaveNote(dataDir, 'of a topic that is gone')

      await withTransport(dataDir, async (transport) => expect(await valuesIn(transport)).toEqual(['before 0', 'before 1']))
    }),
  )

  it('is reported when the log ends before it: records were lost', () =>
    withFolder(async (dataDir) => {
      const { topicId } = await prepare(dataDir)
      await leaveNote(dataDir, topicId, 5)

      await expect(withTransport(dataDir, () => Promise.resolve())).rejects.toMatchObject({ code: 'ERR_MESSAGING_LOG_CORRUPT' })
    }),
  )
})
