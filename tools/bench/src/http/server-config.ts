/** What a server's process is told from outside. */
export interface ServerConfig {
  readonly url: string
  readonly username: string
  readonly password: string
  readonly postgresUrl: string
}

/** Reads the environment; the only place of the servers that does. */
export function readServerConfig(environment: Readonly<Record<string, string | undefined>> = process.env): ServerConfig {
  const text = (name: string): string => environment[name] ?? ''
  return { url: text('BENCH_CLICKHOUSE'), username: text('BENCH_USER'), password: text('BENCH_PASSWORD'), postgresUrl: text('BENCH_POSTGRES') }
}

/** The environment that {@link readServerConfig} reads. */
export function serverEnvironment({ url, username, password, postgresUrl }: ServerConfig): Record<string, string> {
  return { BENCH_CLICKHOUSE: url, BENCH_USER: username, BENCH_PASSWORD: password, BENCH_POSTGRES: postgresUrl }
}
