import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

const DIGITS = 12

/** The file that holds the entries of a log up to this one, once another has been begun. */
export function segmentPath(path: string, lastSequence: number): string {
  return `${path}.${String(lastSequence).padStart(DIGITS, '0')}`
}

/** Files of a log that are full, oldest first; those before `present`, where that one was given its name meanwhile. */
export async function listSegments(path: string, present?: number): Promise<string[]> {
  const start = `${basename(path)}.`
  const names = await readdir(dirname(path)).catch(() => [])
  const full = names.filter((name) => name.startsWith(start) && /^\d{12,}$/.test(name.slice(start.length))).sort((one, other) => Number(one.slice(start.length)) - Number(other.slice(start.length)))
  const paths = full.map((name) => join(dirname(path), name))
  if (present === undefined) return paths
  const nodes = await Promise.all(paths.map((segment) => stat(segment).then(({ ino }) => ino)))
  const named = nodes.indexOf(present)
  return named === -1 ? paths : paths.slice(0, named)
}
