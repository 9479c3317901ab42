import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it, type TestContext } from 'vitest'
import { createMemoryTransport, type MemoryTransport } from '../../src/memory/index.ts'
import { readTopic } from '../contract/subject.ts'

const run = promisify(execFile)
const disks: string[] = []
const open: MemoryTransport[] = []
afterEach(async () => {
  for (const transport of open.splice(0)) await transport.stop()
  for (const disk of disks.splice(0)) {
    await run('umount', [disk])
    await rm(disk, { recursive: true })
  }
})

/** A file system of its own, so large; only who may mount one can try. */
async function diskOf(size: string, context: TestContext): Promise<string> {
  const disk = await mkdtemp(join(tmpdir(), 'smart-whale-disk-'))
  const isMounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk]).then(
    () => true,
    () => false,
  )
  if (isMounted) {
    disks.push(disk)
    return disk
  }
  await rm(disk, { recursive: true })
  return context.skip('needs the right to mount a file system: run it as root, on Linux')
}

const remount = (disk: string, options: string): Promise<unknown> => run('mount', ['-o', `remount,${options}`, disk])

/** A broker that isn't started yet; its files are small, so that it makes many. */
function brokerIn(dataDir: string): MemoryTransport {
  const transport = createMemoryTransport({ dataDir, segmentBytes: 60_000 })
  open.push(transport)
  return transport
}

const FULL = { code: 'ERR_MESSAGING_LOG_FAILED', retryable: true, status: 503, message: expect.stringMatching(/\(ENOSPC\): free disk space, then try again$/) as string }
const READ_ONLY = { code: 'ERR_MESSAGING_LOG_FAILED', retryable: false, message: expect.stringMatching(/\(EROFS\): its file system is mounted read-only: mount it for writing, or name another data folder$/) as string }

/** Sends numbered records of 5 kB until one is refused; those that were taken go into `taken`. */
async function sendUntilRefused(transport: MemoryTransport, topic: string, taken: number[]): Promise<unknown> {
  for (let number = taken.length; ; number++) {
    try {
      await transport.send(topic, [{ value: `${number} ${'x'.repeat(5000)}`, partition: number % 2 }])
      taken.push(number)
    } catch (error) {
      return error
    }
  }
}

const numbersIn = async (transport: MemoryTransport, topic: string): Promise<number[]> =>
  (await readTopic(transport, topic)).map(({ value }) => Number.parseInt(value ?? '', 10)).sort((a, b) => a - b)

describe('an embedded broker whose disk is full', () => {
  it('says so, takes records again once there is room, and has after a restart each one that it took, once', async (context) => {
    const disk = await diskOf('512k', context)
    const first = brokerIn(join(disk, 'broker'))
    await first.start()
    await first.topics.create('rides', { partitions: 2 })
    const taken: number[] = []

    expect(await sendUntilRefused(first, 'rides', taken)).toMatchObject(FULL)
    const producer = await first.transactional('job')
    await expect(producer.run((transaction) => transaction.send('rides', [{ value: `-1 ${'y'.repeat(30_000)}` }]))).rejects.toMatchObject({
      code: 'ERR_MESSAGING_TRANSACTION_ABORTED',
      cause: FULL,
    })
    await remount(disk, 'size=1m')
    expect(await sendUntilRefused(first, 'rides', taken)).toMatchObject(FULL)
    await producer.close()
    await first.stop()
    await remount(disk, 'size=2m')
    const second = brokerIn(join(disk, 'broker'))
    await second.start()

    expect(taken.length).toBeGreaterThan(150)
    expect(await numbersIn(second, 'rides')).toEqual(taken)
  })

  it('leaves nothing of a topic for which there is no room, and makes it once there is', async (context) => {
    const disk = await diskOf('48k', context)
    const transport = brokerIn(join(disk, 'broker'))
    await transport.start()
    const before = await readdir(join(disk, 'broker', 'topics'))

    await expect(transport.topics.create('rides', { partitions: 50 })).rejects.toMatchObject(FULL)

    expect(await transport.topics.list()).toEqual([])
    expect(await readdir(join(disk, 'broker', 'topics'))).toEqual(before)
    await remount(disk, 'size=2m')
    expect(await transport.topics.create('rides', { partitions: 50 })).toBe(true)
  })
})

describe('an embedded broker on a disk that can only be read', () => {
  it('says so at its start, in a folder that is there and in one that is not', async (context) => {
    const disk = await diskOf('512k', context)
    const before = brokerIn(join(disk, 'broker'))
    await before.start()
    await before.topics.create('rides', { partitions: 1 })
    await before.send('rides', [{ value: '1' }])
    await before.stop()
    await remount(disk, 'ro')

    await expect(brokerIn(join(disk, 'broker')).start()).rejects.toMatchObject(READ_ONLY)
    await expect(brokerIn(join(disk, 'new')).start()).rejects.toMatchObject(READ_ONLY)

    await remount(disk, 'rw')
    const after = brokerIn(join(disk, 'broker'))
    await after.start()
    expect(await numbersIn(after, 'rides')).toEqual([1])
  })
})
