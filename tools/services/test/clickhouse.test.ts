import { describe, expect, it } from 'vitest'
import { doUrlsAnswer } from '../src/does-answer.ts'
import { type ManagedClickHouse, startManagedClickHouse } from '../src/index.ts'

async function ask({ url, owner }: ManagedClickHouse, statement: string): Promise<string> {
  const answer = await fetch(url, { method: 'POST', body: statement, headers: { 'X-ClickHouse-User': owner.username, 'X-ClickHouse-Key': owner.password } })
  return (await answer.text()).trim()
}

describe('startManagedClickHouse', () => {
  it('keeps through a kill what it acknowledged, at the same address with the same password', async () => {
    await using server = await startManagedClickHouse()
    await ask(server, 'CREATE TABLE kept (value UInt8) ENGINE = MergeTree ORDER BY value')
    await ask(server, 'INSERT INTO kept VALUES (7)')

    await server.kill()
    expect(await doUrlsAnswer(server.url, '/ping')).toBe(false)
    await server.restart()

    expect(await ask(server, 'SELECT value FROM kept')).toBe('7')
  })

  it('is held, and goes on', async () => {
    await using server = await startManagedClickHouse()

    server.pause()
    expect(await doUrlsAnswer(server.url, '/ping', 200)).toBe(false)
    server.resume()

    expect(await doUrlsAnswer(server.url, '/ping')).toBe(true)
  })
})
