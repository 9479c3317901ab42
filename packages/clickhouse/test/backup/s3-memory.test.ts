import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { contentOf, openBucket, piecesOf, type TestBucket } from './s3-bucket.ts'

/** What a part of a large backup has. */
const LARGE_MIB = 512
/** Two parts of 8 MiB were there before; this is what the garbage collector hasn't come to. */
const GROWTH_MIB = 64

let bucket: TestBucket | undefined
let lack = ''
beforeAll(async () => void ({ found: bucket, lack } = await openBucket()), 660_000)
afterAll(() => bucket?.stop())
const bucketOf = (context: TestContext): TestBucket => bucket ?? context.skip(`needs an S3 server: ${lack}`)

interface Report {
  readonly digest: string
  readonly growthMiB: number
}

function start({ address, bucket: name, access }: TestBucket, prefix: string, task: 'write' | 'read', mebibytes: number): ChildProcess {
  const options = JSON.stringify({ endpoint: address, bucket: name, prefix, ...access })
  return fork(join(import.meta.dirname, 's3-memory-process.ts'), [options, task, String(mebibytes)], { execArgv: ['--conditions=@smart-whale/source'] })
}

async function report(child: ChildProcess): Promise<Report> {
  const [told] = (await once(child, 'message')) as [Report]
  return told
}

describe('a large file in a bucket', () => {
  it('takes a few parts of memory to store, and less to read, however large it is', async (context) => {
    const reached = bucketOf(context)

    const written = await report(start(reached, 'memory', 'write', LARGE_MIB))
    const read = await report(start(reached, 'memory', 'read', LARGE_MIB))

    expect(await reached.store({ prefix: 'memory' }).list('large')).toEqual([{ name: 'large', bytes: LARGE_MIB * 1024 * 1024 }])
    expect(read.digest).toBe(written.digest)
    expect(written.growthMiB).toBeLessThanOrEqual(GROWTH_MIB)
    expect(read.growthMiB).toBeLessThanOrEqual(GROWTH_MIB)
  })

  it('leaves parts without a file when its process is killed, which the bucket lists as an upload for its rules to remove; the next one is not disturbed', async (context) => {
    const reached = bucketOf(context)
    const uploads = async (): Promise<string[]> => [...(await (await reached.ask('GET', '?uploads=')).text()).matchAll(/<Key>killed\/large<\/Key>/g)].map(([found]) => found)
    const child = start(reached, 'killed', 'write', 100_000)

    await expect.poll(uploads, { timeout: 20_000, interval: 20 }).toHaveLength(1)
    child.kill('SIGKILL')
    await once(child, 'exit')

    expect(await uploads()).toHaveLength(1)
    expect((await reached.store({ prefix: 'killed' }).list('')).map(({ name }) => name)).toEqual(['warm'])
    await reached.store({ prefix: 'killed' }).write('large', piecesOf('the next one'))
    expect((await contentOf(reached.store({ prefix: 'killed' }), 'large')).toString()).toBe('the next one')
  })
})
