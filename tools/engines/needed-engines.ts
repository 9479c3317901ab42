import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'

/**
 * Which of the engines do these test files ask for? A word of `inject('kafka')` anywhere in the `test` folder that a file
 * lies in counts for it: what helps the tests lies there too.
 */
export function neededEngines<Name extends string>(names: readonly Name[], testFiles: readonly string[]): Set<Name> {
  const text = [...new Set(testFiles.map(testFolder))].map(sourcesIn).join('\n')
  return new Set(names.filter((name) => new RegExp(String.raw`\binject\(\s*['"\`]${name}['"\`]`).test(text)))
}

/** The outermost folder of that name that holds the file, or just its own folder. */
function testFolder(file: string): string {
  const parts = dirname(file).split(sep)
  const found = parts.lastIndexOf('test')
  return found < 0 ? dirname(file) : parts.slice(0, found + 1).join(sep)
}

function sourcesIn(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n')
}
