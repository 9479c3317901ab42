import { applyFixes, type AppliedFix } from '../../doctor/apply-fixes.ts'
import { type DoctorReport, runDoctor } from '../../doctor/run-doctor.ts'
import { ALL_RULES } from '../../doctor/all-rules.ts'
import { asJson, type Command, type CommandCall, EXIT, textsOf } from '../command.ts'

/** Looks for what is wrong. */
export const doctor: Command = {
  name: 'doctor',
  summary: 'Looks for what makes the server slow, fill up or fail, and tells or sends what mends it',
  usage: '[--in DATABASE]… [--rule NAME]… [--fix [--with-caution] [--dry-run]]',
  help: `  --in DATABASE      this one alone; may be given again (all but the server's own)
  --rule NAME        this one alone; may be given again
  --fix              sends the statements that take a moment and lose nothing
  --with-caution     with --fix: those as well that delete or write much
  --dry-run          with --fix: tells them and sends none

Rules:
${ALL_RULES.map(({ name, summary }) => `  ${name.padEnd(24)}${summary}`).join('\n')}`,
  exits: { [EXIT.found]: 'something critical or worth a warning was found' },
  options: { in: { type: 'string', multiple: true }, rule: { type: 'string', multiple: true }, fix: { type: 'boolean' }, 'with-caution': { type: 'boolean' }, 'dry-run': { type: 'boolean' } },
  positionals: { least: 0, most: 0 },
  run: async (call) => {
    const { signal, values, timeoutMs } = call
    const report = await runDoctor(call.adapter, { databases: textsOf(call, 'in'), rules: textsOf(call, 'rule'), signal, timeoutMs, onRule: (name) => call.progress(`… ${name}`) })
    const fixes = values.fix === true ? await applyFixes(call.adapter, report.findings, { signal, dryRun: values['dry-run'] === true, withCaution: values['with-caution'] === true }) : undefined
    if (call.json) call.print(asJson({ ...report, ...(fixes === undefined ? {} : { fixes }) }))
    else tell(call, report, fixes)
    return report.findings.some(({ severity }) => severity !== 'advice') ? EXIT.found : EXIT.ok
  },
}

function tell({ print }: CommandCall, { findings, unseen, followed }: DoctorReport, fixes: readonly AppliedFix[] | undefined): void {
  for (const { severity, rule, object, reason, fixes: remedies, advice } of findings) {
    print(`${severity}  ${object}  (${rule})\n  ${reason}`)
    if (fixes === undefined) for (const { sql, caution } of remedies.slice(0, 5)) print(`  → ${sql}${caution === undefined ? '' : `\n    (${caution})`}`)
    if (advice !== undefined) print(`  ${advice}`)
  }
  for (const { rule, reason } of unseen) print(`not seen  ${rule}: ${reason}`)
  for (const { outcome, sql, error } of fixes ?? []) print(`${outcome}  ${sql}${error === undefined ? '' : `\n  ${error}`}`)
  print(`${followed.length} rules followed, ${findings.length} findings, ${unseen.length} rules that could not look`)
}
