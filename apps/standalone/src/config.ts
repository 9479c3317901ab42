import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { ConfigurationError } from '@smart-whale/interfaces'
import type { SampleSize } from './sample/sample-files.ts'

/** What the command was told. */
export interface StandaloneConfig {
  /** Folder of everything that is kept between starts. @default `.smart-whale` beside the workspace */
  readonly dataDir: string
  /** Whether to delete that folder first. @default false */
  readonly fresh: boolean
  /** Which sample to load; null loads none. @default 'default' */
  readonly sample: SampleSize | null
  /** Where to serve, on 127.0.0.1; 0 takes any free port. @default 4000 */
  readonly port: number
  /** Pipelines of the user's own; null when there are none. @default `pipelines.json` in the data folder, if it is there */
  readonly pipelinesFile: string | null
  /** Trust levels, by which queries of tenants are kept apart; null runs every query as one read-only user. @default `access.json` in the data folder, if it is there */
  readonly accessFile: string | null
  /** Metrics of the user's own; null when there are none. @default `metrics.yaml` in the data folder, if it is there */
  readonly metricsFile: string | null
  /** The least that is logged. @default 'warn' */
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** Whether to leave once options and files are checked, before anything starts. @default false */
  readonly checkOnly: boolean
  /** Whether to print {@link HELP} and leave. @default false */
  readonly help: boolean
}

/** What `--help` prints. */
export const HELP = `Smart Whale, everything by one command: real ClickHouse and PostgreSQL, a broker, the ingestor and the API.

  npm start [-- OPTIONS]

  --data DIR         where data is kept between starts          (default: .smart-whale beside the workspace)
  --fresh            delete that folder first
  --no-sample        start without the sample data
  --sample full      all three million flights, not every fifteenth
  --pipelines FILE   your own pipelines (JSON, or a module)     (default: pipelines.json in the data folder, if there)
  --access FILE      trust levels: whose queries run as whom    (default: access.json in the data folder, if there)
  --metrics FILE     your own metrics (YAML or JSON)            (default: metrics.yaml in the data folder, if there)
  --port PORT        where to serve, on 127.0.0.1               (default: 4000, or PORT)
  --check-config     check the options and files, then leave
  --help             print this

Environment: PORT, SMART_WHALE_DATA, LOG_LEVEL (trace, debug, info, warn, error; default warn).`

const OPTIONS = {
  data: { type: 'string' },
  fresh: { type: 'boolean', default: false },
  'no-sample': { type: 'boolean', default: false },
  sample: { type: 'string' },
  pipelines: { type: 'string' },
  access: { type: 'string' },
  metrics: { type: 'string' },
  port: { type: 'string' },
  'check-config': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

const port = z.coerce.number().int().min(0).max(65_535)
const logLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])

/**
 * Reads the command line and the environment. The only place of this app that does.
 * @throws ConfigurationError naming the option or variable that is wrong
 */
export function readConfig(args: readonly string[] = process.argv.slice(2), environment: Readonly<Record<string, string | undefined>> = process.env): StandaloneConfig {
  const values = parseOptions(args)
  if (values['no-sample'] && values.sample !== undefined) throw new ConfigurationError('--no-sample and --sample exclude each other; give one of them')
  if (values.sample !== undefined && values.sample !== 'full') throw new ConfigurationError(`--sample takes "full", not "${values.sample}"; without it, every fifteenth flight is loaded`)
  const dataDir = resolve(values.data ?? environment.SMART_WHALE_DATA ?? join(import.meta.dirname, '../../../.smart-whale'))
  return {
    dataDir,
    fresh: values.fresh,
    sample: values['no-sample'] ? null : values.sample === 'full' ? 'full' : 'default',
    port: values.port === undefined ? checked(port, environment.PORT ?? '4000', 'PORT', 'a port from 0 (any free one) to 65535') : checked(port, values.port, '--port', 'a port from 0 (any free one) to 65535'),
    pipelinesFile: givenOrUsual('pipelines', values.pipelines, dataDir, 'pipelines.json'),
    accessFile: givenOrUsual('access', values.access, dataDir, 'access.json'),
    metricsFile: givenOrUsual('metrics', values.metrics, dataDir, 'metrics.yaml'),
    logLevel: checked(logLevel, environment.LOG_LEVEL ?? 'warn', 'LOG_LEVEL', logLevel.options.join(', ')),
    checkOnly: values['check-config'],
    help: values.help,
  }
}

function parseOptions(args: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'] {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw new ConfigurationError(`${(error as Error).message.split('. ')[0]}; --help lists the options`, { cause: error })
  }
}

/** The file that an option names; else the one of the usual name in the data folder, if it is there. */
function givenOrUsual(option: string, given: string | undefined, dataDir: string, usualName: string): string | null {
  if (given !== undefined) {
    if (!existsSync(given)) throw new ConfigurationError(`--${option}: there is no file ${resolve(given)}`)
    return resolve(given)
  }
  const usual = join(dataDir, usualName)
  return existsSync(usual) ? usual : null
}

function checked<T>(schema: z.ZodType<T>, value: string, name: string, expected: string): T {
  const result = schema.safeParse(value)
  if (!result.success) throw new ConfigurationError(`${name} is "${value}", which is not ${expected}`)
  return result.data
}
