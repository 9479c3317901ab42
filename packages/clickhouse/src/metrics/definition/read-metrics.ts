import { readFile } from 'node:fs/promises'
import { ConfigurationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../../errors.ts'
import { checkDefinition } from './check-definition.ts'
import type { DefinedMetrics } from './define-metrics.ts'
import type { MetricsDefinition } from './metric-definition.ts'

/**
 * Reads a definition of metrics from a YAML or JSON file.
 * @throws ConfigurationError `ERR_CLICKHOUSE_METRIC_DEFINITION` that names the file, the place and the remedy;
 *   `ERR_CLICKHOUSE_MISSING_PEER` when a YAML file is read and the package `yaml` is not installed
 */
export async function readMetrics(file: string): Promise<DefinedMetrics> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw wrong(`${file} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  })
  const definition = await parse(file, text)
  try {
    return { definition: definition as MetricsDefinition, model: checkDefinition(definition) }
  } catch (error) {
    throw ConfigurationError.isInstance(error) ? wrong(`${file}: ${error.message}`, error) : error
  }
}

async function parse(file: string, text: string): Promise<unknown> {
  const read = file.endsWith('.json') ? JSON.parse : await yamlParser(file)
  try {
    return read(text) as unknown
  } catch (cause) {
    throw wrong(`${file} is not well-formed: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

/** On first use: `yaml` is an optional peer. */
async function yamlParser(file: string): Promise<(text: string) => unknown> {
  try {
    const { parse } = await import('yaml')
    // Aliases are enough to blow a small file up; a definition has few.
    return (text) => parse(text, { maxAliasCount: 100 }) as unknown
  } catch (cause) {
    throw new ConfigurationError<ClickHouseErrorCode>(`${file} is YAML, and the package yaml is not installed; add it, or write the file as JSON`, {
      code: 'ERR_CLICKHOUSE_MISSING_PEER',
      cause,
    })
  }
}

function wrong(message: string, cause: unknown): ConfigurationError<ClickHouseErrorCode> {
  return new ConfigurationError<ClickHouseErrorCode>(message, { code: 'ERR_CLICKHOUSE_METRIC_DEFINITION', cause })
}
