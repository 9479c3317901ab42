import dns from 'node:dns'
import { afterEach, describe, expect, inject, it, vi } from 'vitest'
import { createAdapter } from '../../src/index.ts'

type Answer = (error: null, addresses: readonly { address: string; family: number }[]) => void

describe('a name that stands for several addresses', () => {
  afterEach(() => void vi.restoreAllMocks())

  it('is reached at the one that takes the connection', async () => {
    const { url, owner } = inject('clickhouse')
    // Nobody listens at the first one.
    const addresses = ['127.0.0.77', '127.0.0.1'].map((address) => ({ address, family: 4 }))
    const lookup = vi.spyOn(dns, 'lookup').mockImplementation(((_name: string, _options: object, answer: Answer) => answer(null, addresses)) as never)
    const adapter = createAdapter({ host: 'clickhouse.test', port: Number(new URL(url).port), user: owner.username, password: owner.password, retry: { maxAttempts: 1 } })

    const { rows } = await adapter.execute('SELECT 1 AS one')
    await adapter.close()

    expect(rows).toEqual([{ one: 1 }])
    expect(lookup).toHaveBeenCalledWith('clickhouse.test', expect.anything(), expect.anything())
  })
})
