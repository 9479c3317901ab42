import { randomBytes } from 'node:crypto'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { type AuditLog, openAuditLog, verifyAuditFile } from '../index.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const key = randomBytes(32)

async function newPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'audit-'))
  closing.push(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'audit.log')
}

async function opened(path: string): Promise<AuditLog> {
  const log = await openAuditLog({ path, key })
  closing.push(() => log.close())
  return log
}

/** A closed log of some entries. */
async function written(entries: number): Promise<{ path: string; lines: string[] }> {
  const path = await newPath()
  const log = await opened(path)
  await Promise.all(Array.from({ length: entries }, (_, index) => log.record({ actor: 'alice', action: `step ${index}`, outcome: 'success', details: { at: new Date(0), nothing: undefined, list: [1, { b: 2, a: 1 }] } })))
  await log.close()
  return { path, lines: (await readFile(path, 'utf8')).trimEnd().split('\n') }
}

describe('an audit log', () => {
  it('is sound as long as nobody touches it, over restarts', async () => {
    const { path } = await written(5)
    const again = await opened(path)
    await again.record({ actor: 'bob', action: 'login', outcome: 'denied' })

    const { entries, faults, head } = await again.verify()

    expect({ entries, faults }).toEqual({ entries: 6, faults: [] })
    expect(head).toEqual(again.head())
  })

  it('goes on in another file when one is full, over restarts, and shows what is missing of any of them', async () => {
    const path = await newPath()
    const record = async (steps: number): Promise<void> => {
      const log = await openAuditLog({ path, key, maxFileBytes: 700 })
      for (let step = 0; step < steps; step++) await log.record({ actor: 'alice', action: `step ${step}`, outcome: 'success' })
      expect(await log.verify()).toMatchObject({ faults: [], head: log.head() })
      await log.close()
    }
    await record(5)
    await record(6)
    const files = (await readdir(dirname(path))).filter((name) => /^audit\.log(\.\d+)?$/.test(name))
    // As a process leaves it that ends between two files.
    await rename(path, `${path}.000000000011`)
    await record(1)

    expect(files.length).toBeGreaterThan(2)
    expect(await verifyAuditFile(path, { key })).toMatchObject({ entries: 12, faults: [] })
    const lost = (await readdir(dirname(path))).filter((name) => /\.\d{12}$/.test(name)).sort()[1] as string
    await rename(join(dirname(path), lost), join(dirname(path), 'moved'))
    expect((await verifyAuditFile(path, { key })).faults).toMatchObject([{ what: expect.stringContaining('that are missing') as string }])
  })

  it('can be looked through while it goes on in another file', async () => {
    const log = await openAuditLog({ path: await newPath(), key, maxFileBytes: 400 })
    closing.push(() => log.close())
    const written = (async () => {
      for (let step = 0; step < 60; step++) await log.record({ actor: 'alice', action: `step ${step}`, outcome: 'success' })
    })()
    const looks = []
    for (let look = 0; look < 8; look++) looks.push(await log.verify())
    await written

    expect(looks.flatMap(({ faults }) => faults)).toEqual([])
    expect(await log.verify()).toMatchObject({ entries: 60, faults: [] })
  })

  it('shows any line that was changed, removed, doubled, swapped or added', async () => {
    const { path, lines } = await written(12)
    const line = fc.nat({ max: lines.length - 2 })
    const tamperings = fc.oneof(
      line.map((at) => lines.map((text, index) => (index === at ? text.replace('alice', 'mallory') : text))),
      line.map((at) => lines.toSpliced(at, 1)),
      line.map((at) => lines.toSpliced(at, 0, lines[at] ?? '')),
      line.map((at) => lines.with(at, lines[at + 1] ?? '').with(at + 1, lines[at] ?? '')),
      line.map((at) => lines.with(at, 'no json')),
      fc.nat({ max: lines.length - 1 }).map((left) => lines.slice(0, left)),
    )
    await fc.assert(
      fc.asyncProperty(tamperings, async (tampered) => {
        await writeFile(path, tampered.map((text) => `${text}\n`).join(''))
        expect((await verifyAuditFile(path, { key })).faults).not.toEqual([])
      }),
      { numRuns: 60 },
    )
  })

  it('shows a chain that somebody else has made, and one whose end was cut off along with the file beside it', async () => {
    const { path, lines } = await written(3)
    const head = JSON.parse(lines[2] ?? '') as { sequence: number; hash: string }
    const forged = await openAuditLog({ path: `${path}.forged`, key: randomBytes(32) })
    await forged.record({ actor: 'x', action: 'y', outcome: 'success' })
    await forged.close()

    expect((await verifyAuditFile(`${path}.forged`, { key })).faults.map(({ line }) => line)).toContain(1)
    await writeFile(path, `${lines[0]}\n`)
    await rm(`${path}.head`)
    expect((await verifyAuditFile(path, { key })).faults).toEqual([])
    expect((await verifyAuditFile(path, { key, known: head })).faults).toHaveLength(1)
  })

  it('refuses to go on behind a log that was cut off, and goes on behind a line that a crash has torn', async () => {
    const { path, lines } = await written(3)
    await appendFile(path, '{"sequence":4,"at":"20')
    const log = await opened(path)
    await log.record({ actor: 'a', action: 'b', outcome: 'success' })
    expect((await log.verify()).faults).toEqual([])
    await log.close()

    await writeFile(path, `${lines[0]}\n`)
    await expect(openAuditLog({ path, key })).rejects.toMatchObject({ code: 'ERR_AUDIT_BROKEN' })
  })

  it('goes on soundly after an entry that could not be written whole', async () => {
    const path = await newPath()
    const log = await opened(path)
    const event = (action: string) => ({ actor: 'a', action, outcome: 'success' }) as const
    await log.record(event('one'))
    // The line gets onto the disk, and how far the log has come doesn't.
    await mkdir(`${path}.head.tmp`)
    await expect(log.record(event('lost'))).rejects.toMatchObject({ code: 'ERR_AUDIT_WRITE' })
    await rm(`${path}.head.tmp`, { recursive: true })
    expect(await log.verify()).toMatchObject({ entries: 1, faults: [] })

    await log.record(event('two'))

    expect(await log.verify()).toMatchObject({ entries: 2, faults: [], head: log.head() })
  })

  it('goes on in another file although the full one was moved away', async () => {
    const path = await newPath()
    const log = await openAuditLog({ path, key, maxFileBytes: 1 })
    closing.push(() => log.close())
    const event = { actor: 'a', action: 'b', outcome: 'success' } as const
    await log.record(event)
    await rename(path, `${path}.000000000001`)

    await log.record(event)

    expect(await log.verify()).toMatchObject({ entries: 2, faults: [], head: log.head() })
  })

  it('has one writer, and takes nothing once it is closed', async () => {
    const path = await newPath()
    const log = await opened(path)

    await expect(openAuditLog({ path, key })).rejects.toMatchObject({ code: 'ERR_AUDIT_LOCKED' })
    await log.close()
    await expect(log.record({ actor: 'a', action: 'b', outcome: 'success' })).rejects.toMatchObject({ code: 'ERR_AUDIT_CLOSED' })
  })

  it('refuses more events than may wait, and says when its disk fails', async () => {
    const path = await newPath()
    const log = await openAuditLog({ path, key, maxPending: 2 })
    closing.push(() => log.close())
    const event = { actor: 'a', action: 'b', outcome: 'success' } as const

    const outcomes = await Promise.allSettled([log.record(event), log.record(event), log.record(event)])

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(outcomes[2]).toMatchObject({ reason: { code: 'ERR_AUDIT_FULL' } })
    await expect(verifyAuditFile(`${path}.nowhere`)).rejects.toMatchObject({ code: 'ERR_AUDIT_WRITE' })
    await expect(openAuditLog({ path: join(path, 'below', 'a.log') })).rejects.toMatchObject({ code: 'ERR_AUDIT_WRITE' })
  })
})
