// Prevents: a reader with a code in a log who doesn't know which package's README to open, and a page of codes that is out of date.
// This file with --write brings the page up to date.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Check } from './check.ts'
import { codesOf } from './error-codes.ts'
import { sectionOf } from './markdown.ts'
import { openWorkspace, packagesOf, type Project, type Workspace } from './workspace.ts'

const PAGE = 'docs/reference/errors.md'
const INTRO = `# Error codes

Every error that leaves a package carries one of these as its \`code\`; HTTP answers carry it in their problem document. Written by
\`node tools/checks/error-reference.ts --write\` from each package's \`errors.ts\` and README.`

export const errorReference: Check = {
  name: `${PAGE} is up to date`,
  run: (workspace) => {
    const isThere = existsSync(join(workspace.root, PAGE)) && workspace.read(PAGE) === errorPage(workspace)
    return isThere ? [] : [`${PAGE}: is stale: \`node tools/checks/error-reference.ts --write\` writes it`]
  },
}

/** The text of the page. */
export function errorPage(workspace: Workspace): string {
  return `${[INTRO, ...packagesOf(workspace).flatMap((project) => sectionFor(project, workspace))].join('\n\n')}\n`
}

function sectionFor(project: Project, workspace: Workspace): string[] {
  const codes = codesOf(project, workspace)
  if (codes.length === 0) return []
  const { header, rows } = documentedErrors(project, workspace)
  const lines = codes.toSorted().map((code) => `| \`${code}\` | ${(rows.get(code) ?? header.map(() => '')).join(' | ')} |`)
  const readme = `[README](../../${project.folder}/README.md#errors)`
  return [`## ${project.manifest.name}\n\n${readme}\n\n| code | ${header.join(' | ')} |\n|---|${'---|'.repeat(header.length)}\n${lines.join('\n')}`]
}

interface Documented {
  /** Titles of the columns behind the code. */
  readonly header: readonly string[]
  /** Cells of those columns by code. */
  readonly rows: ReadonlyMap<string, readonly string[]>
}

/** The tables in a README's section on errors; a row may stand for several codes. */
function documentedErrors({ folder }: Project, workspace: Workspace): Documented {
  const file = `${folder}/README.md`
  const section = existsSync(join(workspace.root, file)) ? (sectionOf(workspace.read(file), 'Errors') ?? '') : ''
  const table = section.split('\n').filter((line) => line.startsWith('|')).map(cellsOf)
  const header = table[0]?.slice(1) ?? ['when']
  const rows = table.flatMap(([first = '', ...cells]) => [...first.matchAll(/`(ERR_[A-Z0-9_]+)`/g)].map((match) => [match[1] ?? '', cells] as const))
  return { header, rows: new Map(rows) }
}

function cellsOf(line: string): string[] {
  const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
  // Before the first bar and behind the last one stands nothing.
  return cells.slice(1, -1)
}

if (import.meta.main && process.argv.includes('--write')) {
  const workspace = openWorkspace(join(import.meta.dirname, '../..'))
  mkdirSync(dirname(join(workspace.root, PAGE)), { recursive: true })
  writeFileSync(join(workspace.root, PAGE), errorPage(workspace))
  process.stdout.write(`wrote ${PAGE}\n`)
}
