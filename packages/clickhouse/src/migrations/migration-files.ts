import { type ErrorOptions, ValidationError } from '@smart-whale/interfaces'
import { hash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClickHouseErrorCode } from '../errors.ts'

/** One step of a schema's history. */
export interface Migration {
  /** Order of the step; unique. */
  readonly version: number
  readonly name: string
  /** Statements that take the step, separated by `;`. */
  readonly up: string
  /** Statements that take it back; `null` when it can't be taken back. */
  readonly down: string | null
}

const FILE_NAME = /^(?<version>\d{1,15})_(?<name>[A-Za-z0-9][A-Za-z0-9_-]*)\.(?<direction>up|down)\.sql$/

/**
 * The migrations of a folder, in order: `001_flights.up.sql`, and `001_flights.down.sql` where it can be taken back.
 * @throws ValidationError `ERR_CLICKHOUSE_MIGRATION_FILE` that names the file
 */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const files = await listSqlFiles(folder)
  const parts = await Promise.all(files.map(async (file) => ({ ...partsOf(file), file, text: await readText(folder, file) })))
  const ups = parts.filter(({ direction }) => direction === 'up')
  const downs = parts.filter(({ direction }) => direction === 'down')
  refuseDuplicates(ups)
  refuseDuplicates(downs)
  for (const down of downs) {
    const up = ups.find(({ version }) => version === down.version)
    if (up?.name !== down.name)
      throw fileError(down.file, `takes back a step that is missing; add ${down.version}_${down.name}.up.sql with the same number and name`)
  }
  return ups
    .map(({ version, name, text }) => ({ version, name, up: text, down: downs.find((down) => down.version === version)?.text ?? null }))
    .sort((one, other) => one.version - other.version)
}

/** What tells one text from another, whatever its line ends. */
export function checksumOf(text: string): string {
  return hash('sha256', text.replaceAll('\r\n', '\n').trim(), 'hex')
}

async function listSqlFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort()
  } catch (cause) {
    throw fileError(folder, 'can not be read; give the folder that holds the migrations', { cause })
  }
}

function partsOf(file: string): { version: number; name: string; direction: string } {
  const { version, name, direction } = FILE_NAME.exec(file)?.groups ?? {}
  if (version === undefined || name === undefined || direction === undefined) {
    throw fileError(file, 'must be named <number>_<name>.up.sql or <number>_<name>.down.sql')
  }
  return { version: Number(version), name, direction }
}

async function readText(folder: string, file: string): Promise<string> {
  const text = (await readFile(join(folder, file), 'utf8')).replace(/^\uFEFF/, '')
  if (text.trim() === '') throw fileError(file, 'is empty; write statements into it or remove it')
  return text
}

function refuseDuplicates(parts: readonly { version: number; file: string }[]): void {
  for (const [index, part] of parts.entries()) {
    const other = parts.slice(0, index).find(({ version }) => version === part.version)
    if (other !== undefined) throw fileError(part.file, `has the number of ${other.file}; give one of them another`)
  }
}

function fileError(file: string, what: string, options: ErrorOptions<ClickHouseErrorCode> = {}): ValidationError<ClickHouseErrorCode> {
  return new ValidationError<ClickHouseErrorCode>(`migrations: ${file} ${what}`, {
    code: 'ERR_CLICKHOUSE_MIGRATION_FILE',
    issues: [{ path: [file], message: what }],
    ...options,
  })
}
