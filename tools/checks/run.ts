// Runs every check over the workspace; one line a check, and below it what is wrong.
import { join } from 'node:path'
import { writeOutcomes, type Outcome } from '../test/outcome.ts'
import { api } from './api.ts'
import { architecture } from './architecture.ts'
import { arrows } from './arrows.ts'
import type { Check } from './check.ts'
import { cycles } from './cycles.ts'
import { docs } from './docs.ts'
import { errorCodes } from './error-codes.ts'
import { errorReference } from './error-reference.ts'
import { manifests } from './manifests.ts'
import { optionsDocumented } from './options-documented.ts'
import { openWorkspace, type Workspace } from './workspace.ts'

const CHECKS: readonly Check[] = [arrows, manifests, cycles, errorCodes, errorReference, architecture, docs, optionsDocumented, api]

function runCheck(check: Check, workspace: Workspace): Outcome {
  const problems = check.run(workspace)
  process.stdout.write(`${problems.length === 0 ? '✓' : '✗'} ${check.name}\n`)
  for (const problem of problems) process.stdout.write(`    ${problem}\n`)
  return problems.length === 0 ? { name: check.name, state: 'passed' } : { name: check.name, state: 'failed', reason: problems.join('\n') }
}

const workspace = openWorkspace(join(import.meta.dirname, '../..'))
const outcomes = CHECKS.map((check) => runCheck(check, workspace))
writeOutcomes(outcomes)
process.exitCode = outcomes.every((outcome) => outcome.state === 'passed') ? 0 : 1
