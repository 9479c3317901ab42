import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

const MOST_BYTES = 2 ** 30
const ORM_BUSY_ACCESSES = 2_000_000

/** A trace at one capacity. */
export interface Cell {
  readonly name: string
  readonly capacity: number
  readonly keys: readonly string[]
}

/**
 * Access traces as they are bundled with the simulator of Caffeine (ben-manes/caffeine, Apache-2.0): of the authors of LIRS, of cache2k, and of Corda.
 * They are not part of this project: their folder is given. Needs `xz` for those of cache2k.
 */
export function readCells(folder: string): readonly Cell[] {
  const lirs = (name: string): readonly string[] =>
    gunzipSync(readFileSync(join(folder, `${name}.trace.gz`))).toString().split('\n').map((line) => line.trim()).filter((line) => line !== '' && line !== '*')
  const cache2k = (name: string, most = Infinity): readonly string[] => {
    const bytes = execFileSync('xz', ['-dc', join(folder, `${name}.trace.xz`)], { maxBuffer: MOST_BYTES })
    return Array.from({ length: Math.min(most, bytes.length >> 2) }, (_, index) => String(bytes.readInt32BE(index * 4)))
  }
  const corda = (): readonly string[] => {
    const bytes = gunzipSync(readFileSync(join(folder, 'trace_vaultservice.gz')))
    return Array.from({ length: bytes.length >> 3 }, (_, index) => String(bytes.readBigInt64BE(index * 8)))
  }
  const cells = (name: string, keys: readonly string[], ...capacities: number[]): Cell[] => capacities.map((capacity) => ({ name, capacity, keys }))
  return [
    ...cells('multi1', lirs('multi1'), 500, 1500),
    ...cells('multi3', lirs('multi3'), 1000, 2500),
    ...cells('2_pools', lirs('2_pools'), 500),
    ...cells('sprite', lirs('sprite'), 500),
    ...cells('loop', lirs('loop'), 512),
    ...cells('gli', lirs('gli'), 1000),
    ...cells('web07', cache2k('web07'), 500, 2000),
    ...cells('web12', cache2k('web12'), 500, 2000),
    ...cells('orm-busy', cache2k('orm-busy', ORM_BUSY_ACCESSES), 1000, 5000),
    ...cells('vaultservice', corda(), 1024),
  ]
}
