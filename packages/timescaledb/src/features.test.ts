import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { describeCapabilities, type ServerIdentity, type TimescaleEdition } from './capabilities.ts'
import { describeServer, missingFeature, reportFeatures, requireFeature, timescaleFeatures } from './features.ts'

const identity = (edition: TimescaleEdition, change: Partial<ServerIdentity> = {}): ServerIdentity => ({
  edition,
  serverVersion: 170_006,
  timescaledbVersion: edition === 'postgresql' ? null : '2.19.3',
  availableVersion: edition === 'postgresql' ? null : '2.19.3',
  toolkitVersion: null,
  ...change,
})
const EDITIONS: readonly TimescaleEdition[] = ['timescaledb-community', 'timescaledb-apache', 'postgresql']

/** The table of the README, as the code has it. */
function tableOfEditions(): string {
  const reports = EDITIONS.map((edition) => reportFeatures(identity(edition, { toolkitVersion: null })))
  const rows = timescaleFeatures.map((feature) => {
    const cells = reports.map(({ [feature]: { providedBy, how } }) => (providedBy === 'not at all' ? '–' : `${providedBy}: ${how}`))
    const calls = reports[0]?.[feature].calls.map((call) => `\`${call}\``).join(', ')
    return `| \`${feature}\` | ${calls || 'SQL of your own'} | ${cells.join(' | ')} |`
  })
  return ['| feature | calls | Community | Apache | PostgreSQL alone |', '|---|---|---|---|---|', ...rows].join('\n')
}

describe('the features of an edition', () => {
  it('are what the README says', () => {
    expect(readFileSync(new URL('../README.md', import.meta.url), 'utf8')).toContain(tableOfEditions())
  })

  it('need a toolkit of their own for approximate percentiles, whatever the edition', () => {
    for (const edition of EDITIONS) {
      expect(reportFeatures(identity(edition))['approximate-percentiles']).toMatchObject({ available: false, remedy: expect.stringContaining('timescaledb_toolkit') as unknown })
      expect(reportFeatures(identity(edition, { toolkitVersion: '1.21.0' }))['approximate-percentiles'].available).toBe(true)
    }
  })

  it('are refused by the name of edition and version, with the remedy', () => {
    const apache = identity('timescaledb-apache')

    expect(() => requireFeature(apache, 'continuous-aggregates')).toThrow(
      "TimescaleDB 2.19.3 (Apache edition) on PostgreSQL 17.6 has no continuous aggregates: it takes TimescaleDB's Community edition: its own build of the extension, and timescaledb.license = 'timescale'",
    )
    expect(() => requireFeature(identity('timescaledb-community'), 'continuous-aggregates')).not.toThrow()
    expect(missingFeature(identity('postgresql', { availableVersion: '2.31.0' }), 'jobs').message).toContain('this server has 2.31.0 installed: create extension timescaledb')
    expect(missingFeature(apache, 'jobs')).toMatchObject({ code: 'ERR_TIMESCALEDB_EDITION', status: 501, retryable: false, context: { feature: 'jobs', edition: 'timescaledb-apache' } })
  })
})

describe('describeCapabilities', () => {
  it.each([
    ['postgresql', false, false, 'PostgreSQL 17.6 without TimescaleDB'],
    ['timescaledb-apache', true, false, 'TimescaleDB 2.19.3 (Apache edition) on PostgreSQL 17.6'],
    ['timescaledb-community', true, true, 'TimescaleDB 2.19.3 (Community edition) on PostgreSQL 17.6'],
  ] as const)('tells what %s comes to', (edition, hypertables, community, words) => {
    expect(describeCapabilities(identity(edition))).toMatchObject({ edition, hypertables, community })
    expect(describeServer(identity(edition))).toBe(words)
  })
})
