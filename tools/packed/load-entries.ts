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

/** The program that loads them. Whatever a package prints meanwhile is held against it. */
const program = (specifiers: readonly string[], load: string): string => `
const ofTheFormat = ['default', 'module.exports', '__esModule']
const namesOf = (module) => Object.keys(module).filter((name) => !ofTheFormat.includes(name)).sort()
const write = process.stdout.write.bind(process.stdout)
let printed = ''
process.stdout.write = process.stderr.write = (text) => { printed += text; return true }

const loaded = []
for (const specifier of ${JSON.stringify(specifiers)}) {
  printed = ''
  try {
    loaded.push({ specifier, names: namesOf(${load}) })
  } catch (error) {
    loaded.push({ specifier, names: [], problem: { code: error?.code, message: String(error?.message ?? error) } })
  }
  if (printed !== '') loaded.at(-1).problem ??= { message: 'prints when it is loaded: ' + printed }
}
write(JSON.stringify(loaded))
`

/** Loads entry points in a Node of its own, by `import` or by `require`. @throws Error when that Node crashes or does not end */
export async function loadEntries(
  { folder }: Consumer,
  specifiers: readonly string[],
  way: 'import' | 'require',
  limitMs = LIMIT_MS,
): Promise<Loaded[]> {
  const file = way === 'import' ? 'load.mjs' : 'load.cjs'
  writeFileSync(join(folder, file), program(specifiers, way === 'import' ? 'await import(specifier)' : 'require(specifier)'))
  const ran = await exec('node', [file], { cwd: folder, limitMs })
  if (ran.code !== 0) throw new Error(ran.output)
  return JSON.parse(ran.stdout) as Loaded[]
}
