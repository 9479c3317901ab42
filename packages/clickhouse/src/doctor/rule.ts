import type { Row } from '@smart-whale/interfaces'
import type { QueryParams } from '../adapter-options.ts'
import { quoteName } from '../adapter/table-columns.ts'
import type { DoctorFinding, Fix, Severity } from './finding.ts'
import type { DoctorThresholds } from './thresholds.ts'

/** What a rule looks with. */
export interface Look {
  readonly thresholds: DoctorThresholds
  /** Asks the server, read-only. */
  ask<T extends Row>(query: string, params?: QueryParams): Promise<T[]>
  /** Condition that a column holding a database's name has to meet for the rule to be about it. */
  inScope(column: string): string
}

/** What a rule found, before the rule's name is put to it. */
export type Found = Omit<DoctorFinding, 'rule'>

/** One question to the server, and what follows from the answer. */
export interface DoctorRule {
  readonly name: string
  /** What it is about, in half a line. */
  readonly summary: string
  examine(look: Look): Promise<Found[]>
}

/** A rule that reads rows and judges them; apart, so that it can be shown rows of servers that can't run here. */
export interface RowRule<T extends Row> extends DoctorRule {
  read(look: Look): Promise<T[]>
  judge(rows: readonly T[], thresholds: DoctorThresholds): Found[]
}

/** Makes a rule of what it reads and how it judges. */
export function rowRule<T extends Row>(rule: Omit<RowRule<T>, 'examine'>): RowRule<T> {
  return { ...rule, examine: async (look) => rule.judge(await rule.read(look), look.thresholds) }
}

/** Makes what a rule found. */
export function found(severity: Severity, object: string, reason: string, more: { figures?: Found['figures']; fixes?: readonly Fix[]; advice?: string } = {}): Found {
  return { severity, object, reason, figures: more.figures ?? {}, fixes: more.fixes ?? [], ...(more.advice === undefined ? {} : { advice: more.advice }) }
}

/** A table's name for a statement. */
export const tableOf = ({ database, table }: { database: string; table: string }): string => `${quoteName(database)}.${quoteName(table)}`

/** A number for a reason: 12,345. */
export const count = (value: unknown): string => Number(value).toLocaleString('en-US', { maximumFractionDigits: 1 })

/** A share for a reason: 12 %. */
export const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** A size for a reason: 1.5 GiB. */
export function size(value: unknown): string {
  const bytes = Number(value)
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log(bytes) / Math.log(1024)))
  return `${count(bytes / 1024 ** power)} ${UNITS[power]}`
}
