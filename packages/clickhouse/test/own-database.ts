import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { type ClickHouseAdapter, createAdapter } from '../src/index.ts'

/** A database of a test's own on the run's server, seen by its owner and by a read-only user. */
export interface OwnDatabase {
  readonly name: string
  readonly owner: ClickHouseAdapter
  readonly reader: ClickHouseAdapter
  /** Another connection of the owner, as another process would have. */
  connect(): ClickHouseAdapter
  drop(): Promise<void>
}

/** Makes an empty database; `drop` it when the tests are done. */
export async function ownDatabase(): Promise<OwnDatabase> {
  const { url, owner, reader } = inject('clickhouse')
  const name = `test_${randomBytes(6).toString('hex')}`
  const root = createAdapter({ url, user: owner.username, password: owner.password, database: 'default' })
  await root.execute(`CREATE DATABASE ${name}`)
  const opened: ClickHouseAdapter[] = [root]
  const connect = ({ username, password } = owner): ClickHouseAdapter => {
    const adapter = createAdapter({ url, user: username, password, database: name })
    opened.push(adapter)
    return adapter
  }
  return {
    name,
    owner: connect(),
    reader: connect(reader),
    connect,
    drop: async () => {
      await root.execute(`DROP DATABASE IF EXISTS ${name} SYNC`)
      await Promise.all(opened.map((adapter) => adapter.close()))
    },
  }
}
