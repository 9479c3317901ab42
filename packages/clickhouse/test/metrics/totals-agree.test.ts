import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Choices } from '../query-builder/choices.ts'
import { openShop } from './shop.ts'

let opened: Awaited<ReturnType<typeof openShop>>
const choices = new Choices(11)

beforeAll(async () => {
  opened = await openShop()
  const day = 86_400_000
  const rows = Array.from({ length: 400 }, (_, id) => ({
    // Around both changes of the clocks in Oslo, and a year before.
    at: new Date(Date.parse(choices.of(['2026-03-20T00:00:00Z', '2025-10-20T00:00:00Z', '2025-03-20T00:00:00Z', '2024-10-20T00:00:00Z'])) + choices.between(0, 14 * day)),
    tenant_id: choices.of(['a', 'b']),
    country: choices.of(['NO', 'SE', 'DK', 'FI', '', null]),
    channel: choices.of(['web', 'app', 'shop']),
    customer: id % 50,
    items: choices.between(-3, 9),
    amount: `${choices.between(-20, 200)}.${choices.between(10, 99)}`,
  }))
  await opened.database.owner.insert('orders', rows)
})
afterAll(() => opened.close())

type Numbers = Readonly<Record<string, unknown>>
const ADDITIVE = ['orders', 'revenue', 'web_orders', 'web_revenue'] as const

/** In hundredths, so that nothing is rounded. */
function cents(value: unknown): bigint {
  const [whole = '0', fraction = ''] = String(value ?? 0).split('.')
  return BigInt(`${whole}${fraction.padEnd(2, '0')}`)
}

const sumOf = (rows: readonly Numbers[], metric: string): bigint => rows.reduce((sum, row) => sum + cents(row[metric]), 0n)

describe('totals', () => {
  it('are the sum of their parts, whatever is asked for: buckets, groups, the largest with the rest, gaps, both periods', async () => {
    let something = 0
    for (let asked = 0; asked < 60; asked++) {
      const by = choices.chance(0.75) ? choices.some(['country', 'channel', 'is_large', 'tenant'] as const, 2) : []
      const question = {
        metrics: choices.some(ADDITIVE),
        from: choices.of(['2026-03-20', '2026-03-28T13:00', '2025-10-25']),
        to: choices.of(['2026-03-30', '2026-04-02']),
        timeZone: choices.of(['UTC', 'Europe/Oslo', 'Asia/Kolkata']),
        grain: choices.of(['day', 'week', 'month', undefined] as const),
        by,
        top: by.length > 0 && choices.chance(0.5) ? { n: choices.between(1, 4), other: true } : undefined,
        compare: choices.of(['previous_period', 'previous_year', undefined] as const),
        fillGaps: choices.chance(0.5),
        where: choices.chance(0.3) ? { channel: ['web', 'shop'] } : undefined,
        totals: true,
      }

      const { rows, totals } = await opened.layer.ask(question)

      for (const metric of question.metrics) {
        if (sumOf(rows, metric) !== 0n) something++
        expect(sumOf(rows, metric), `${metric} of ${JSON.stringify(question)}`).toBe(cents(totals?.[metric]))
        if (question.compare === undefined) continue
        const before = rows.map((row) => (row as { previous?: Numbers }).previous ?? {})
        expect(sumOf(before, metric), `${metric} before, of ${JSON.stringify(question)}`).toBe(cents((totals as { previous?: Numbers }).previous?.[metric]))
      }
    }
    expect(something).toBeGreaterThan(50)
  })
})
