import { createHash } from 'node:crypto'
import type { PipelineParts } from './pipeline-parts.ts'

/** Counts the changes of this package that make other rows of the same events under the same definition. */
const READING = 1

/**
 * Tells definitions apart that may make other rows of the same events, or put them elsewhere. A function is known by its text alone: what it
 * calls elsewhere may change unseen, which the documentation says.
 */
export function definitionFingerprint({ given, transform, route, upgrades }: PipelineParts, hashKeys: Readonly<Record<string, string>>): string {
  const { versions, versionFrom, columns, rename, fields, time, id, topic, table = topic, tables, sinks = ['clickhouse', 'timescaledb'] } = given
  const text = (part: unknown): unknown => (typeof part === 'function' ? String(part) : part)
  const functions = [...upgrades].map(([version, upgrade]) => [version, String(upgrade)])
  const keys = JSON.stringify(transform ?? null)?.includes('"hash"') || JSON.stringify(versions ?? null).includes('"hash"') ? hashKeys : {}
  const read = [sorted(fields), sorted(rename), sorted(columns), time, id]
  const written = [[...new Set(sinks)].sort(), tables?.clickhouse ?? table, tables?.timescaledb ?? table]
  const identity = JSON.stringify([READING, read, written, versions, versionFrom, text(transform), text(route), functions, keys])
  return createHash('sha256').update(identity).digest('base64url').slice(0, 24)
}

/** Fields have no order: writing them down in another one changes nothing. */
function sorted(names: Readonly<Record<string, string>> | undefined): readonly unknown[] {
  return Object.entries(names ?? {}).sort(([one], [other]) => (one < other ? -1 : 1))
}
