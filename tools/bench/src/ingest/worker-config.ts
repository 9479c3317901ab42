/** What a worker is told from outside. */
export interface WorkerConfig {
  readonly brokers: readonly string[]
  readonly topic: string
  /** Events in the topic's partition before it begins anew. */
  readonly length: number
  readonly url: string
  readonly username: string
  readonly password: string
  /** With its database. */
  readonly table: string
}

/** Reads the environment; the only place of the workers that does. */
export function readWorkerConfig(environment: Readonly<Record<string, string | undefined>> = process.env): WorkerConfig {
  const text = (name: string): string => environment[name] ?? ''
  return {
    brokers: text('BENCH_BROKERS').split(','),
    topic: text('BENCH_TOPIC'),
    length: Number(text('BENCH_LENGTH')),
    url: text('BENCH_CLICKHOUSE'),
    username: text('BENCH_USER'),
    password: text('BENCH_PASSWORD'),
    table: text('BENCH_TABLE'),
  }
}

/** The environment that {@link readWorkerConfig} reads. */
export function workerEnvironment({ brokers, topic, length, url, username, password, table }: WorkerConfig): Record<string, string> {
  return { BENCH_BROKERS: brokers.join(), BENCH_TOPIC: topic, BENCH_LENGTH: String(length), BENCH_CLICKHOUSE: url, BENCH_USER: username, BENCH_PASSWORD: password, BENCH_TABLE: table }
}
