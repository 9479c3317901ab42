import { checkStorage } from '@smart-whale/analytics-api'
import type { Closers } from '@smart-whale/app-process'
import { createHealth, type Health } from '@smart-whale/core-monitoring'
import type { CallOptions, HealthProbe, Logger } from '@smart-whale/interfaces'
import type { Stores } from './open-stores.ts'

/** What `/health` looks at: both stores, as those see them who ask, and what the ingestor says of itself. */
export function openHealth({ reader, storage }: Pick<Stores, 'reader' | 'storage'>, ofIngestor: readonly HealthProbe[], logger: Logger, closers: Closers): Health {
  const probes = [
    { name: 'ClickHouse', check: (call: CallOptions) => reader.healthCheck(call) },
    { name: 'PostgreSQL', check: (call: CallOptions) => checkStorage(storage, call) },
    ...ofIngestor,
  ]
  const health = createHealth({ probes, logger })
  closers.add('health', async () => health.close())
  return health
}
