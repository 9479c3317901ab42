import { playRandomClaims } from '../../../../packages/clickhouse/src/storage/model/claim-histories.ts'
import { playRandomHistories } from '../../../../packages/messaging/src/pipeline/model/random-histories.ts'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'

const HISTORIES = 30_000
const SHORT_HISTORIES = 300
const CLAIMS = 100_000
const SINKS = ['both', 'clickhouse', 'timescaledb'] as const

/**
 * Random histories of the workers of one partition: killed, suspended and gone on, failed and held up at any step, with stores that die in the middle and replicas that
 * lack the latest commits; and pipelines that claim a table at once. Where one ends otherwise than it should, the shortest such one is told.
 */
export async function pipelineModels({ seed, isShort, tell }: FaultRun): Promise<readonly Finding[]> {
  const histories = isShort ? SHORT_HISTORIES : HISTORIES
  const findings: Finding[] = []
  for (const sinks of SINKS) {
    const difference = await playRandomHistories(sinks, { numRuns: histories, seed, endOnFailure: false }).then(
      () => 'none',
      (error: unknown) => (error as Error).message,
    )
    tell(`${sinks}: ${histories} histories`)
    findings.push(mustBe(`histories that lose, double or misplace an event (${sinks}), of ${histories}`, difference, 'none'))
  }
  const claims = isShort ? SHORT_HISTORIES : CLAIMS
  const disagreement = await playRandomClaims({ numRuns: claims, seed, endOnFailure: false }).then(
    () => 'none',
    (error: unknown) => (error as Error).message,
  )
  findings.push(mustBe(`claims of which two pipelines hear that each has the table, of ${claims}`, disagreement, 'none'))
  return findings
}
