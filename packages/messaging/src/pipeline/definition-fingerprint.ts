import { createHash } from 'node:crypto'
import type { PipelineParts } from './pipeline-parts.ts'

/**
 * Tells definitions apart that may make different rows of the same events; null for one that only reads fields. A function is
 * known by its text alone: what it calls elsewhere may change unseen, which the documentation says.
 */
export function definitionFingerprint({ given, transform, route, upgrades }: PipelineParts, hashKeys: Readonly<Record<string, string>>): string | null {
  const { versions, versionFrom, columns, rename, fields } = given
  if (transform === undefined && route === undefined && versions === undefined) return null
  const text = (part: unknown): unknown => (typeof part === 'function' ? String(part) : part)
  const functions = [...upgrades].map(([version, upgrade]) => [version, String(upgrade)])
  const keys = JSON.stringify(transform ?? null)?.includes('"hash"') || JSON.stringify(versions ?? null).includes('"hash"') ? hashKeys : {}
  const identity = JSON.stringify([fields, rename, columns, versions, versionFrom, text(transform), text(route), functions, keys])
  return createHash('sha256').update(identity).digest('base64url').slice(0, 24)
}
