import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Consumer } from './consumer.ts'
import { exec } from './exec.ts'

/** What loading one entry point gave: its names, or why it could not be loaded. */
export interface Loaded {
  specifier: string
  names: readonly string[]
  problem?: { code?: string; message: string }
}

/** Importing opens no socket and starts no timer: Node ends by itself, well within this time. */
const LIMIT_MS = 30_000

const REPORT = `const problemOf = (error) => ({ code: error?.code, message: String(error?.message ?? error) })
const ofTheFormat = ['default', 'module.exports', '__esModule']
const namesOf = (module) => Object.keys(module).filter((name) => !ofTheFormat.includes(name)).sort()
const loaded = []
`
const PRINT = `process.stdout.write(JSON.stringify(loaded))\n`

/** Loads entry points in a Node of its own, by `import` or by `require`. @throws Error when that Node crashes, prints or does not end */
export async function loadEntries(
  { folder }: Consumer,
  specifiers: readonly string[],
  way: 'import' | 'require',
  limitMs = LIMIT_MS,
): Promise<Loaded[]> {
  const file = way === 'import' ? 'load.mjs' : 'load.cjs'
  const load = way === 'import' ? 'await import(specifier)' : 'require(specifier)'
  const loop = `for (const specifier of ${JSON.stringify(specifiers)}) {
  try {
    loaded.push({ specifier, names: namesOf(${load}) })
  } catch (error) {
    loaded.push({ specifier, names: [], problem: problemOf(error) })
  }
}
`
  writeFileSync(join(folder, file), REPORT + loop + PRINT)
  const ran = await exec('node', [file], { cwd: folder, limitMs })
  if (ran.code !== 0 || ran.output !== ran.stdout.trim()) throw new Error(ran.output)
  try {
    return JSON.parse(ran.stdout) as Loaded[]
  } catch {
    throw new Error(`loading printed something:\n${ran.stdout}`)
  }
}
