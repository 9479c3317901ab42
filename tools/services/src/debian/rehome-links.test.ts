import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { rehomeLinks } from './rehome-links.ts'

describe('rehomeLinks', () => {
  it('leads links of the host to the same place below the root, and leaves others alone', async () => {
    const root = mkdtempSync(join(tmpdir(), 'smart-whale-root-'))
    mkdirSync(join(root, 'etc/java'), { recursive: true })
    mkdirSync(join(root, 'usr/lib/jvm'), { recursive: true })
    writeFileSync(join(root, 'etc/java/security'), 'ours')
    symlinkSync('/etc/java', join(root, 'usr/lib/jvm/conf'))
    symlinkSync('/dev/null', join(root, 'usr/lib/jvm/nothing'))
    symlinkSync('conf', join(root, 'usr/lib/jvm/alias'))

    await rehomeLinks(root)

    expect(readFileSync(join(root, 'usr/lib/jvm/conf/security'), 'utf8')).toBe('ours')
    expect(readlinkSync(join(root, 'usr/lib/jvm/nothing'))).toBe('/dev/null')
    expect(readlinkSync(join(root, 'usr/lib/jvm/alias'))).toBe('conf')
    rmSync(root, { recursive: true })
  })
})
