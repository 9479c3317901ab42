import { execFile } from 'node:child_process'
import { hash, randomBytes } from 'node:crypto'
import { lookup } from 'node:dns'
import { fileURLToPath } from 'node:url'
import { inspect, promisify } from 'node:util'
import { Agent, getGlobalDispatcher, setGlobalDispatcher } from 'undici'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { runBounded } from '../../src/adapter/run-bounded.ts'
import { s3Store } from '../../src/backup/s3-store.ts'
import { faultyLine } from './faulty-line.ts'
import { contentOf, openBucket, piecesOf, type TestBucket } from './s3-bucket.ts'

const MIB = 1024 * 1024
const ODD_NAMES = ['with space/x', 'a+b', 'p%2Dq', '100%', 'ünï/ö', "q!'()*", 'a&b<c>"', 'x=y;z@:,$', 'emoji😀', 'line\rend', 'a?b#c', 'back\\slash']

let bucket: TestBucket | undefined
let lack = ''
beforeAll(async () => void ({ found: bucket, lack } = await openBucket()), 660_000)
afterAll(() => bucket?.stop())
const bucketOf = (context: TestContext): TestBucket => bucket ?? context.skip(`needs an S3 server: ${lack}`)

describe('a file in a bucket', () => {
  it.for(ODD_NAMES)('is found again by the name %j, and no other is removed with it', async (name, context) => {
    const store = bucketOf(context).store({ prefix: 'odd names/+%' })
    await store.write(name, piecesOf('content of ', name))
    await store.write('other', piecesOf('stays'))

    expect((await contentOf(store, name)).toString()).toBe(`content of ${name}`)
    expect(await store.list(name.slice(0, 2))).toEqual([{ name, bytes: Buffer.byteLength(`content of ${name}`) }])
    await store.remove(name)

    expect(await store.list('')).toEqual([{ name: 'other', bytes: 5 }])
  })

  it('takes the place of the one before it', async (context) => {
    const store = bucketOf(context).store({ prefix: 'twice' })

    await store.write('file', piecesOf('first'))
    await store.write('file', piecesOf())

    expect(await store.list('')).toEqual([{ name: 'file', bytes: 0 }])
    expect(await contentOf(store, 'file')).toHaveLength(0)
  })

  it('is not among those of another prefix that begins alike', async (context) => {
    const { store } = bucketOf(context)
    await store({ prefix: 'here' }).write('file', piecesOf('1'))
    await store({ prefix: 'here-too' }).write('file', piecesOf('2'))

    await store({ prefix: '/here/' }).remove('')

    expect(await store({ prefix: 'here' }).list('')).toEqual([])
    expect(await store({ prefix: 'here-too' }).list('')).toEqual([{ name: 'file', bytes: 1 }])
  })

  it('has no name that leads upwards', async (context) => {
    const store = bucketOf(context).store({ prefix: 'a/b' })

    for (const call of [() => store.write('../x', piecesOf('')), () => store.list('./'), () => store.remove('x/../../'), () => contentOf(store, '..')]) {
      await expect(call()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_STORE', status: 400 })
    }
  })

  it('is sent in parts when it is large, and is the same', async (context) => {
    const { store } = bucketOf(context)
    const content = randomBytes(11 * MIB)
    const pieces = Array.from({ length: 110 }, (_, index) => content.subarray(index * 0.1 * MIB, (index + 1) * 0.1 * MIB))

    await store({ prefix: 'large', partBytes: 5 * MIB }).write('file', piecesOf(...pieces))

    const read = await contentOf(store({ prefix: 'large' }), 'file')
    expect([read.length, hash('sha256', read)]).toEqual([Buffer.concat(pieces).length, hash('sha256', Buffer.concat(pieces))])
  })

  it('is not there, nor any part of it, when what it is made of fails', async (context) => {
    const { store, ask } = bucketOf(context)
    async function* failing(): AsyncIterable<Uint8Array> {
      yield randomBytes(12 * MIB)
      throw new RangeError('the rows ended')
    }

    await expect(store({ prefix: 'failing', partBytes: 5 * MIB }).write('file', failing())).rejects.toThrow(new RangeError('the rows ended'))

    expect(await store().list('failing/')).toEqual([])
    const uploads = await (await ask('GET', '?uploads=')).text()
    expect(uploads).toContain('ListMultipartUploadsResult')
    expect(uploads).not.toContain('<Upload>')
  })

  it('is one of more than a thousand that are listed and removed', async (context) => {
    const store = bucketOf(context).store({ prefix: 'many' })
    const names = Array.from({ length: 1_005 }, (_, index) => `f/${String(index).padStart(4, '0')}`)
    await runBounded(names, 16, undefined, (name) => store.write(name, piecesOf('x')))

    const listed = (await store.list('f/')).map(({ name }) => name)
    await store.remove('f/')

    expect(listed.sort()).toEqual(names)
    expect(await store.list('')).toEqual([])
  })

  it('is reached where the bucket is a part of the host name', async (context) => {
    const { bucketDomain, store } = bucketOf(context)
    if (bucketDomain === undefined) return context.skip('needs an S3 server with a domain for buckets: unset S3_URL')
    const before = getGlobalDispatcher()
    // Names below localhost lead here, whether this machine's resolver knows that or not.
    const here = new Agent({ connect: { lookup: (_name, options, done) => lookup('127.0.0.1', options, done) } })
    setGlobalDispatcher(here)
    try {
      await store({ endpoint: `http://${bucketDomain}`, addressing: 'virtual-host', prefix: 'by host' }).write('a file', piecesOf('content'))
    } finally {
      setGlobalDispatcher(before)
      await here.close()
    }

    expect((await contentOf(store({ prefix: 'by host' }), 'a file')).toString()).toBe('content')
  })
})

describe('a bucket that refuses', () => {
  it.for([
    ['a wrong secret', { secretAccessKey: 'not-the-secret' }, /SignatureDoesNotMatch; look at the credentials/],
    ['an unknown key', { accessKeyId: 'NOBODY' }, /InvalidAccessKeyId; look at the credentials|XAdminUserNotFound/],
    ['a bucket that is not there', { bucket: 'no-such-bucket' }, /NoSuchBucket; there is no such bucket/],
  ] as const)('says so of %s, and says no secret', async ([, options, message], context) => {
    const { store, access } = bucketOf(context)
    const refused = store(options)

    for (const call of [() => refused.list(''), () => refused.write('a', piecesOf('a')), () => contentOf(refused, 'a'), () => refused.remove('a')]) {
      const error: unknown = await call().catch((failure: unknown) => failure)
      expect(error).toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_STORE', retryable: false, message: expect.stringMatching(message) as string })
      expect(everythingOf(error)).not.toMatch(new RegExp(`${access.secretAccessKey}|not-the-secret|signature=`, 'i'))
    }
  })

  it('says of a file that is not there that it is not found', async (context) => {
    await expect(contentOf(bucketOf(context).store(), 'nothing')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_NOT_FOUND' })
  })

  it('is not mistaken for an empty one when a proxy answers in its place', async (context) => {
    await using line = await faultyLine(bucketOf(context).address)
    line.plan.push({ status: 200, text: '<html>Please log in</html>' }, { status: 302, headers: { location: '/login' } })
    const store = bucketOf(context).store({ endpoint: line.address })

    await expect(store.list('')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_STORE' })
    await expect(store.list('')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_STORE' })
    expect(line.requests).toHaveLength(2)
  })

  it('hears of a session by its token', async (context) => {
    const { store, address } = bucketOf(context)
    await using line = await faultyLine(address)
    line.plan.push({ status: 403, text: '<Error><Code>ExpiredToken</Code><Token-0>the-token</Token-0></Error>' })

    const error: unknown = await store({ endpoint: line.address, sessionToken: 'the-token' }).list('').catch((failure: unknown) => failure)

    expect(line.requests[0]?.headers).toMatchObject({ 'x-amz-security-token': 'the-token', authorization: expect.stringContaining('x-amz-security-token') as string })
    expect(error).toMatchObject({ message: expect.stringContaining('ExpiredToken') as string })
    expect(everythingOf(error)).not.toContain('the-token')
  })
})

describe('options of a bucket', () => {
  const right = { endpoint: 'https://s3.example', bucket: 'backups', accessKeyId: 'AK', secretAccessKey: 'open-sesame' }

  it.for([
    ['endpoint', { endpoint: 's3.example' }],
    ['endpoint', { endpoint: 'https://AK:open-sesame@s3.example' }],
    ['bucket', { bucket: 'a/b' }],
    ['secretAccessKey', { secretAccessKey: 'open-sesame\n' }],
    ['accessKeyId', { accessKeyId: '' }],
    ['sessionToken', { sessionToken: 'open-sesame\n' }],
    ['prefix', { prefix: 'a/../b' }],
    ['partBytes', { partBytes: 1024 }],
    ['maxAttempts', { maxAttempts: 0 }],
  ] as const)('that are wrong are refused by name, without secrets: %s', ([option, wrong]) => {
    const make = (): unknown => s3Store({ ...right, ...wrong })

    expect(make).toThrow(expect.objectContaining({ code: 'ERR_CLICKHOUSE_CONFIGURATION', context: { option }, message: expect.not.stringContaining('open-sesame') as string }) as Error)
  })

  it('stay in the store', () => {
    expect(everythingOf(s3Store(right))).not.toContain('open-sesame')
  })

  it('need the package that signs, which is named when it is missing', async () => {
    const program = `
      import { registerHooks } from 'node:module'
      registerHooks({ resolve: (specifier, context, next) => {
        if (specifier === 'aws4fetch') throw Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' })
        return next(specifier, context)
      } })
      const { s3Store } = await import(${JSON.stringify(fileURLToPath(new URL('../../src/backup/s3-store.ts', import.meta.url)))})
      await s3Store(${JSON.stringify(right)}).list('').catch((error) => console.log(error.name, error.code, error.message))`

    const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@smart-whale/source', '--input-type=module', '--eval', program])

    expect(stdout).toMatch(/^ConfigurationError ERR_CLICKHOUSE_MISSING_PEER .*aws4fetch/)
  })
})

/** All that a log could make of it. */
function everythingOf(value: unknown): string {
  return `${inspect(value, { depth: 20, showHidden: true })}${JSON.stringify(value)}`
}
