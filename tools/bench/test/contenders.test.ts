import { describe, expect, inject, it } from 'vitest'
import type { BenchEngines } from '../src/hot-path.ts'
import { HOT_PATHS } from '../src/hot-paths.ts'
import { interleave } from '../src/interleave.ts'
import { resultOf } from '../src/results.ts'

const ONE_ROUND = { rounds: 1, warmUpRounds: 0, sliceMs: 1 }
/** On a machine that is busy with all other tests, some contenders are compiled first. */
const PATIENCE_MS = 240_000

describe('the benchmarks', () => {
  it.for(HOT_PATHS)('$name: every contender does the whole job, and every goal names two of them', { timeout: PATIENCE_MS }, async (hotPath, context) => {
    const kafka = inject('kafka')
    if (hotPath.needs === 'kafka' && kafka.found === null) context.skip(`needs Apache Kafka: ${kafka.remedy}`)
    const { url, owner } = inject('clickhouse')
    const engines: BenchEngines = { clickhouse: { url, ...owner }, postgres: { url: inject('postgres').url, pid: null }, kafka }
    const opened = await hotPath.open(engines, 'trial')
    try {
      const { contenders, goals } = resultOf(hotPath, await interleave(opened, hotPath.measure, ONE_ROUND))

      for (const { cost, ratio } of contenders) expect([cost, ratio.median].every((value) => Number.isFinite(value) && value > 0)).toBe(true)
      for (const { reached } of goals) expect(reached.median).toBeGreaterThan(0)
    } finally {
      await opened.close()
    }
  })
})
