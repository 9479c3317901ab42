import { type AdapterOptions, HttpAdapter } from './adapter/http-adapter.ts'
import type { ClickHouseAdapter } from './adapter-options.ts'
import { ClickHouseConfig, type ClickHouseOptions } from './clickhouse-config.ts'
import { BalancedAdapter } from './servers/balanced-adapter.ts'

/**
 * Makes an adapter: of one server, or of several when the options name several. What they leave open comes from `CLICKHOUSE_*` variables.
 *
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION`
 * @example
 * const adapter = createAdapter({ servers: ['clickhouse-1', 'clickhouse-2', 'clickhouse-3'], user: 'app', password })
 */
export function createAdapter(config: ClickHouseOptions | ClickHouseConfig = {}, options: AdapterOptions = {}): ClickHouseAdapter {
  const checked = config instanceof ClickHouseConfig ? config : new ClickHouseConfig(config)
  return checked.getServers().length > 1 ? new BalancedAdapter(checked, options) : new HttpAdapter(checked, options)
}
