import { describe, expect, it } from 'vitest'
import { type Logger, silentLogger, silentMetrics } from '@smart-whale/interfaces'
import { pipelineMetrics } from './pipeline-status.ts'
import { SchemaDrift } from './schema-drift.ts'

function driftOf(): { drift: SchemaDrift; logged: unknown[] } {
  const logged: unknown[] = []
  const logger: Logger = { ...silentLogger, warn: (details: unknown) => void logged.push(details) }
  return { drift: new SchemaDrift('rides', pipelineMetrics(silentMetrics), logger), logged }
}

describe('SchemaDrift', () => {
  it('counts undeclared fields by name, the most frequent first, and logs each once', () => {
    const { drift, logged } = driftOf()

    for (const name of ['tip', 'colour', 'tip']) drift.onUndeclared(name)

    expect(drift.undeclared()).toEqual([
      { name: 'tip', count: 2 },
      { name: 'colour', count: 1 },
    ])
    expect(logged).toEqual([{ field: 'tip' }, { field: 'colour' }])
  })

  it('keeps the frequent names whatever number of others comes', () => {
    const { drift, logged } = driftOf()

    for (let index = 0; index < 20_000; index++) drift.onUndeclared(index % 2 === 0 ? 'tip' : `random-${index}-${'x'.repeat(1000)}`)

    expect(drift.undeclared()).toHaveLength(100)
    expect(drift.undeclared()[0]).toEqual({ name: 'tip', count: 10_000 })
    expect(logged).toHaveLength(100)
    for (const { name } of drift.undeclared()) expect(name.length).toBeLessThanOrEqual(100)
  })

  it('counts events by version', () => {
    const { drift } = driftOf()

    for (const version of ['1', '2', '2']) drift.onVersion(version)

    expect(drift.versions()).toEqual({ 1: 1, 2: 2 })
  })
})
