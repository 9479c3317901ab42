import { type CallOptions, InfrastructureError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import type { DoctorFinding } from './finding.ts'

/** What {@link applyFixes} may be told. */
export interface ApplyFixesOptions extends CallOptions {
  /** `true` tells the statements and sends none. @default false */
  dryRun?: boolean | undefined
  /** `true` sends also statements that delete or write much; without it only those that take a moment and lose nothing. @default false */
  withCaution?: boolean | undefined
}

/** What became of a statement. */
export interface AppliedFix {
  readonly rule: string
  readonly object: string
  readonly sql: string
  readonly caution?: string
  /** `planned`: a dry run; `left`: it needs `withCaution`, or one before it failed or was left. */
  readonly outcome: 'applied' | 'planned' | 'left' | 'failed'
  readonly error?: string
}

/** Sends the statements that mend findings, in order; those of one finding end with the first that fails or is left. */
export async function applyFixes(adapter: ClickHouseAdapter, findings: readonly DoctorFinding[], options: ApplyFixesOptions = {}): Promise<AppliedFix[]> {
  const applied: AppliedFix[] = []
  for (const finding of findings) applied.push(...(await applyOne(adapter, finding, options)))
  return applied
}

async function applyOne(adapter: ClickHouseAdapter, { rule, object, fixes }: DoctorFinding, { dryRun = false, withCaution = false, ...call }: ApplyFixesOptions): Promise<AppliedFix[]> {
  const applied: AppliedFix[] = []
  let stopped = false
  for (const fix of fixes) {
    const told = { rule, object, ...fix }
    stopped ||= fix.caution !== undefined && !withCaution
    if (stopped || dryRun) {
      applied.push({ ...told, outcome: stopped ? 'left' : 'planned' })
      continue
    }
    try {
      await adapter.execute(fix.sql, {}, { ...call, retry: false })
      applied.push({ ...told, outcome: 'applied' })
    } catch (error) {
      if (!InfrastructureError.isInstance(error) || error.code === 'ERR_ABORTED') throw error
      applied.push({ ...told, outcome: 'failed', error: error.message })
      stopped = true
    }
  }
  return applied
}
