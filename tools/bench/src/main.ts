import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InfrastructureError } from '@smart-whale/interfaces'
import { helpText, readCommand } from './command-line.ts'
import type { BenchEngines, HotPath } from './hot-path.ts'
import { HOT_PATHS } from './hot-paths.ts'
import { type Effort, FULL_EFFORT, interleave, QUICK_EFFORT } from './interleave.ts'
import { type Circumstances, reportPage } from './report.ts'
import { resultTable } from './result-table.ts'
import { type HotPathResult, resultOf } from './results.ts'
import { startEngines } from './start-engines.ts'

const REPORT = join(import.meta.dirname, '../../../docs/benchmarks.md')

async function run(): Promise<void> {
  const known = HOT_PATHS.map(({ name }) => name)
  const command = readCommand(process.argv.slice(2), known)
  if (command.help) return print(helpText(known))
  const effort = command.quick ? QUICK_EFFORT : FULL_EFFORT
  const chosen = HOT_PATHS.filter(({ name }) => command.names.length === 0 || command.names.some((part) => name.includes(part)))
  const { engines, notes, stop } = await startEngines()
  try {
    const results: HotPathResult[] = []
    for (const hotPath of chosen) {
      if (hotPath.needs === 'kafka' && engines.kafka.found === null) {
        print(`${hotPath.name}: left out, needs Apache Kafka: ${engines.kafka.remedy}`)
        continue
      }
      results.push(await measure(hotPath, engines, effort))
      print(resultTable(results.at(-1) as HotPathResult))
      // After each of them: a run takes its time, and may be broken off.
      if (command.write) await writeReport(results, { date: new Date(), rounds: effort.rounds, notes })
    }
  } finally {
    await stop()
  }
}

async function writeReport(results: readonly HotPathResult[], circumstances: Circumstances): Promise<void> {
  const before = await readFile(REPORT, 'utf8').catch(() => '')
  await writeFile(REPORT, reportPage(before, results, HOT_PATHS.map(({ title }) => title), circumstances))
}

async function measure(hotPath: HotPath, engines: BenchEngines, effort: Effort): Promise<HotPathResult> {
  const opened = await hotPath.open(engines, 'full')
  try {
    const costs = await interleave(opened, hotPath.measure, effort)
    return resultOf(hotPath, costs, await opened.notes?.())
  } finally {
    await opened.close()
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

run().catch((error: unknown) => {
  process.stderr.write(`bench: ${InfrastructureError.isInstance(error) ? error.message : ((error as Error).stack ?? String(error))}\n`)
  process.exitCode = 1
})
