import { createAdapter } from '@smart-whale/clickhouse'
import { startManagedClickHouse } from '/work/main/tools/services/src/index.ts'
import { flightFigures } from '/work/main/tools/faults/src/flight-metrics.ts'
const { url, owner, stop } = await startManagedClickHouse()
try {
  const login = { url, user: owner.username, password: owner.password }
  const root = createAdapter({ ...login, database: 'default' }); await root.execute('CREATE DATABASE fl'); await root.close()
  const adapter = createAdapter({ ...login, database: 'fl' })
  console.log(JSON.stringify(await flightFigures(adapter, process.argv[2] as never, console.log), null, 1))
  await adapter.close()
} finally { await stop() }
