import { lstatSync, readdirSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { prepareBinaries } from './prepare-binaries.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'smart-whale-binaries-'))
  await mkdir(join(root, 'package', 'native', 'bin'), { recursive: true })
  await mkdir(join(root, 'package', 'native', 'lib'))
  await writeFile(join(root, 'package', 'native', 'bin', 'postgres'), '#!/bin/sh\n', { mode: 0o755 })
  await writeFile(join(root, 'package', 'native', 'lib', 'libicu.so.60.2'), 'library')
  await writeFile(join(root, 'package', 'native', 'lib', 'libpq.a'), 'static')
})
afterEach(() => rm(root, { recursive: true, force: true }))

const binaries = (): { native: string; label: string } => ({ native: join(root, 'package', 'native'), label: 'postgresql-test' })
const listLinks = (): Promise<void> =>
  writeFile(join(binaries().native, 'pg-symlinks.json'), JSON.stringify([{ source: 'native/lib/libicu.so.60.2', target: 'native/lib/libicu.so.60' }]))

describe('prepareBinaries', () => {
  it('uses the package as it is when nothing is missing', async () => {
    expect(await prepareBinaries(binaries(), null, [join(root, 'cache')])).toBe(join(binaries().native, 'bin'))
  })

  it('makes a copy with the links that the blocked install script would have made', async () => {
    await listLinks()

    const bin = await prepareBinaries(binaries(), null, [join(root, 'cache')])

    const library = join(bin, '..', 'lib')
    expect(lstatSync(join(library, 'libicu.so.60')).isSymbolicLink()).toBe(true)
    expect(readdirSync(library)).toEqual(['libicu.so.60', 'libicu.so.60.2'])
    expect(readdirSync(join(root, 'cache'))).toEqual(['postgresql-test'])
  })

  it('makes one copy when many start at once', async () => {
    await listLinks()

    const made = await Promise.all(Array.from({ length: 5 }, () => prepareBinaries(binaries(), null, [join(root, 'cache')])))

    expect(new Set(made).size).toBe(1)
    expect(readdirSync(join(root, 'cache'))).toEqual(['postgresql-test'])
  })

  it.skipIf(process.platform === 'win32')('passes over a cache folder that others may write to', async () => {
    await listLinks()
    await mkdir(join(root, 'open'))
    await chmod(join(root, 'open'), 0o777)

    const bin = await prepareBinaries(binaries(), null, [join(root, 'open'), join(root, 'cache')])

    expect(bin).toBe(join(root, 'cache', 'postgresql-test', 'bin'))
  })

  it.skipIf(process.platform === 'win32')('never hands another account a copy that it can not reach', async () => {
    const preparing = prepareBinaries(binaries(), { uid: 65_533, gid: 65_533 }, [join(root, 'cache')])

    await expect(preparing).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_FOLDER_UNREACHABLE', message: expect.stringContaining(root) as string })
  })
})
