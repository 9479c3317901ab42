import { ConfigurationError } from '@smart-whale/interfaces'
import { advise } from '../../advisor/advise.ts'
import { analyzeQuery } from '../../advisor/analyze-query.ts'
import { size } from '../../doctor/rule.ts'
import { asJson, type Command, type CommandCall, EXIT, textOf, textsOf } from '../command.ts'
import { PARAM_HELP, PARAM_OPTION, queryParameters } from '../query-parameters.ts'

function wholeNumber(call: CommandCall, name: string): number | undefined {
  const text = textOf(call, name)
  if (text !== undefined && !/^\d{1,9}$/.test(text)) throw new ConfigurationError(`--${name} is "${text}", which is not a whole number`)
  return text === undefined ? undefined : Number(text)
}

/** Proposes what helps. */
export const adviseCommand: Command = {
  name: 'advise',
  summary: 'Proposes orders, projections, indexes, rollups and codecs for what is asked, each measured on a sample',
  usage: '[--in DATABASE]… [--hours N] [--questions N] [--sample-rows N]',
  help: `  --in DATABASE      its tables; may be given again (the connection's database)
  --hours N          how far back the log of queries is read (168)
  --questions N      how many questions are looked at, the costliest first (10)
  --sample-rows N    rows of a sample (200000)

Samples are tables of their own beside the table, smart_whale_sample_…; they are removed in the end, also after a crash, by the next run.`,
  exits: { [EXIT.failed]: 'the log of queries can not be read, or the server is away' },
  options: { in: { type: 'string', multiple: true }, hours: { type: 'string' }, questions: { type: 'string' }, 'sample-rows': { type: 'string' } },
  positionals: { least: 0, most: 0 },
  run: async (call) => {
    const advice = await advise(call.adapter, {
      databases: textsOf(call, 'in'),
      hours: wholeNumber(call, 'hours'),
      maxQuestions: wholeNumber(call, 'questions'),
      sampleRows: wholeNumber(call, 'sample-rows'),
      signal: call.signal,
      timeoutMs: call.timeoutMs,
      onProgress: (what) => call.progress(`… ${what}`),
    })
    if (call.json) call.print(asJson(advice))
    else for (const { table, what, gain, before, after, question, times, ddl } of advice.proposals) {
      const cost = question === null ? `${size(before.bytesStored)} → ${size(after.bytesStored)} stored` : `${size(before.bytesRead)} → ${size(after.bytesRead)} read, ${before.elapsedMs.toFixed(1)} → ${after.elapsedMs.toFixed(1)} ms`
      call.print([`${table}: ${what}  saves ${Math.round(gain * 100)} %  (sample: ${cost})`, ...(question === null ? [] : [`  asked ${times}×: ${question.replace(/\s+/g, ' ').slice(0, 120)}`]), ...ddl.map((statement) => `  → ${statement}`)].join('\n'))
    }
    if (!call.json) call.print(`${advice.questions} questions looked at, ${advice.proposals.length} proposals, ${advice.rejected.length} measured and rejected`)
    if (advice.unseen !== null) call.progress(advice.unseen)
    return advice.unseen === null ? EXIT.ok : EXIT.failed
  },
}

/** Tells what a query would cost. */
export const explain: Command = {
  name: 'explain',
  summary: 'Tells what a query would read and why, without running it, and what is missing',
  usage: 'QUERY [--param NAME=VALUE]…',
  help: PARAM_HELP,
  exits: { [EXIT.found]: 'something could be better' },
  options: PARAM_OPTION,
  positionals: { least: 1, most: 1 },
  run: async (call) => {
    const [query = ''] = call.positionals
    const analysis = await analyzeQuery(call.adapter, query, queryParameters(call, query), { signal: call.signal })
    if (call.json) call.print(asJson(analysis))
    else {
      const { estimate, reads, findings } = analysis
      call.print(`reads about ${estimate.rows} rows in ${estimate.granules} granules of ${estimate.parts} parts`)
      for (const { table, granules, granulesOfTable, indexes, prewhere } of reads) {
        call.print(`${table}: ${granules} of ${granulesOfTable} granules${prewhere === null ? '' : `, PREWHERE ${prewhere}`}`)
        for (const { type, name, condition, granulesBefore, granules: left } of indexes) call.print(`  ${name ?? type}: ${granulesBefore} → ${left} by ${condition}`)
      }
      for (const { about, reason, remedy } of findings) call.print(`${about}: ${reason}${remedy === null ? '' : `\n  → ${remedy}`}`)
    }
    return analysis.findings.length > 0 ? EXIT.found : EXIT.ok
  },
}
