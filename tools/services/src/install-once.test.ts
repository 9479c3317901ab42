import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { installOnce } from './install-once.ts'

describe('installOnce', () => {
  let cache: string
  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), 'smart-whale-cache-'))
    vi.stubEnv('SMART_WHALE_SERVICES_CACHE', cache)
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    rmSync(cache, { recursive: true })
  })
  const write = (text: string) => (folder: string) => Promise.resolve(writeFileSync(join(folder, 'file'), text))

  it('fills a folder once, and leaves nothing beside it', async () => {
    const first = await installOnce({ name: 'kit-1', fill: write('first') })
    const second = await installOnce({ name: 'kit-1', fill: write('second') })

    expect(second).toBe(first)
    expect(readFileSync(join(first, 'file'), 'utf8')).toBe('first')
    expect(readdirSync(cache)).toEqual(['kit-1'])
  })

  it('lets one fill it while others wait', async () => {
    let fills = 0
    const fill = async (folder: string): Promise<void> => {
      fills++
      await sleep(50)
      await write('whole')(folder)
    }

    const places = await Promise.all([1, 2, 3].map(() => installOnce({ name: 'kit-1', fill })))

    expect(fills).toBe(1)
    expect(new Set(places).size).toBe(1)
  })

  it('leaves nothing of a filling that failed, and tries anew the next time', async () => {
    const fail = async (folder: string): Promise<void> => {
      await write('half')(folder)
      throw new RangeError('the line was cut')
    }

    await expect(installOnce({ name: 'kit-1', fill: fail })).rejects.toThrow('the line was cut')

    expect(readdirSync(cache)).toEqual([])
    expect(existsSync(await installOnce({ name: 'kit-1', fill: write('whole') }))).toBe(true)
  })

  it('begins anew over what a killed process left behind', async () => {
    const place = join(cache, 'kit-1')
    mkdirSync(`${place}.partial`)
    writeFileSync(join(`${place}.partial`, 'rest'), '')

    await installOnce({ name: 'kit-1', fill: write('whole') })

    expect(readdirSync(place)).toEqual(['file'])
  })
})
