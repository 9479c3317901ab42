import { describe, expect, inject, it } from 'vitest'
import { runScenario } from '../src/run-scenario.ts'
import { SCENARIOS } from '../src/scenarios.ts'

const shortForms = SCENARIOS.filter(({ hasShortForm }) => hasShortForm)

/** Tries every so manieth short form: each takes a while, and files run beside each other. More than two of them at once, and what they try would have too little of the machine. */
export function tryShortForms({ part, of }: { readonly part: number; readonly of: number }): void {
  const kafka = inject('kafka')
  describe.each(shortForms.filter((_scenario, index) => index % of === part - 1))('$name, short form', (scenario) => {
    it(scenario.title, { timeout: 600_000 }, async (context) => {
      // A run that kills brokers starts its own: where the test run has none, it couldn't either.
      if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
      const told: string[] = []
      const findings = await runScenario(scenario, { seed: 1, isShort: true, brokers: kafka.found.brokers, tell: (line) => told.push(line) })

      expect(findings.length).toBeGreaterThan(3)
      expect(findings.filter(({ isMet }) => !isMet), told.join('\n')).toEqual([])
    })
  })
}
