import { ConfigurationError } from '@smart-whale/interfaces'
import { definitionFingerprint } from './definition-fingerprint.ts'
import type { TransformFunction } from './event-types.ts'
import { type FieldType, fieldTypeText, fitsInto, isFieldType, parseFieldType } from './field-type.ts'
import { compileRoute } from './compile-route.ts'
import { compileTransform } from './compile-transform.ts'
import { type ClickHouseChoices, type EventVersion, type PipelineDefinition, RESERVED_COLUMNS, type RowTransform, type SliceLimits, type VersionSource } from './pipeline-definition.ts'
import { type PipelineParts, partsOf } from './pipeline-parts.ts'
import type { DeclaredPipeline, DeclaredVersion } from './pipelines-file.ts'

/** What pipelines are told besides their file. */
export interface DefineOptions {
  /** Keys of `hash` steps, by the name that the steps have for them. @default {} */
  hashKeys?: Readonly<Record<string, string>>
}

type Types = ReadonlyMap<string, FieldType>

const SIMPLE_COLUMN = /^[a-z_][a-z0-9_]{0,47}$/

/** Compiles one entry of a pipelines file. @throws ConfigurationError naming the part that is wrong */
export function compileDefinition(entry: unknown, index: number, { hashKeys = {} }: DefineOptions): PipelineDefinition {
  const where = `pipelines[${index}]`
  const parts = partsOf(entry, where)
  const { given } = parts
  checkFieldTypes(given, where)
  const newest = newestOf(given, where)
  const arriving = renamedTypes(newest, `${where}.rename`)
  const transform = parts.transform === undefined ? null : compileTransform(parts.transform, { types: arriving, columns: given.columns, hashKeys, where: `${where}.transform` })
  const columns = given.columns ?? textsOf(transform?.types ?? arriving)
  if (transform === null) checkCover(arriving, columns, where)
  checkColumns(given, columns, where)
  const sinks = given.sinks ?? ['clickhouse', 'timescaledb']
  const table = given.table ?? given.topic
  return {
    name: given.name ?? given.topic,
    topic: given.topic,
    versions: compileVersions(parts, newest, arriving, hashKeys, where),
    versionFrom: given.versions === undefined ? null : versionSource(given),
    fields: newest.fields,
    columns,
    transform: transform?.transform ?? null,
    route: parts.route === undefined ? null : compileRoute(parts.route, { types: typesOf(columns), sinks, where: `${where}.route` }),
    time: given.time,
    id: given.id ?? null,
    key: given.key ?? (given.id !== undefined && given.id in newest.fields ? given.id : null),
    table,
    tables: { clickhouse: given.tables?.clickhouse ?? table, timescaledb: given.tables?.timescaledb ?? table },
    sinks: [...new Set(sinks)],
    partitions: given.partitions ?? 4,
    limits: { maxRows: 20_000, maxBytes: 4 * 1024 * 1024, maxAgeMs: 250, ...given.limits } as SliceLimits,
    clickhouse: clickhouseChoices(given),
    fingerprint: definitionFingerprint(parts, hashKeys),
  }
}

/** The form of a type is known already; whether a decimal's digits make sense is not. */
function checkFieldTypes({ fields, columns, versions }: DeclaredPipeline, where: string): void {
  const lists = [['fields', fields] as const, ['columns', columns] as const, ...Object.entries(versions ?? {}).map(([name, version]) => [`versions.${name}.fields`, version.fields] as const)]
  for (const [list, types] of lists) {
    for (const [name, text] of Object.entries(types ?? {})) if (!isFieldType(text)) throw wrong(`${where}.${list}.${name}`, 'is not a field type: a decimal has 1 to 38 digits, and at most all of them behind the point')
  }
}

/** The newest version; of a pipeline without versions, its one form. */
function newestOf(given: DeclaredPipeline, where: string): DeclaredVersion & { readonly name: string } {
  const [name, version] = Object.entries(given.versions ?? {}).at(-1) ?? ['', undefined]
  if (given.versions === undefined) {
    if (given.versionFrom !== undefined) throw wrong(`${where}.versionFrom`, 'says where the version is, but there are no versions')
    if (given.fields === undefined || Object.keys(given.fields).length === 0) throw wrong(`${where}.fields`, 'must name at least one field')
    return { name, fields: given.fields, rename: given.rename ?? {} }
  }
  if (version === undefined || Object.keys(version.fields).length === 0) throw wrong(`${where}.versions`, 'must have at least one version with at least one field; the last is the newest')
  if (given.fields !== undefined || given.rename !== undefined) throw wrong(`${where}.${given.fields === undefined ? 'rename' : 'fields'}`, 'stands in each version of a pipeline that has versions')
  return { name, ...version }
}

function compileVersions(parts: PipelineParts, newest: DeclaredVersion & { readonly name: string }, arriving: Types, hashKeys: Readonly<Record<string, string>>, where: string): EventVersion[] {
  const { versions } = parts.given
  if (versions === undefined) return [{ name: '', fields: newest.fields, rename: newest.rename ?? {}, upgrade: null }]
  return Object.entries(versions).map(([name, version]) => {
    const place = `${where}.versions.${name}`
    return { name, fields: version.fields, rename: version.rename ?? {}, upgrade: compileUpgrade(version, parts.upgrades.get(name), arriving, hashKeys, place) }
  })
}

/** What makes an event of the newest version of an older one: defaults, then steps or a function. */
function compileUpgrade(version: DeclaredVersion, upgrade: TransformFunction<never, object> | undefined, newest: Types, hashKeys: Readonly<Record<string, string>>, where: string): RowTransform | null {
  const own = renamedTypes(version, `${where}.rename`)
  // Fields that this version doesn't have yet are there before its steps, as null or as the default says.
  const absent = [...newest].filter(([field, type]) => !own.has(field) && (type.nullable || version.defaults?.[field] !== undefined))
  const types = new Map([...own, ...absent.map(([field, type]) => [field, { ...type, nullable: true }] as const)])
  const steps = [...(version.defaults === undefined ? [] : [{ default: version.defaults }]), ...(version.transform ?? [])]
  const wanted = textsOf(newest)
  if (upgrade === undefined && steps.length === 0 && absent.length === 0) {
    checkCover(own, wanted, where)
    return null
  }
  const compiled = compileTransform(upgrade ?? steps, { types, columns: wanted, hashKeys, where: `${where}.transform` }).transform
  const before = upgrade === undefined || version.defaults === undefined ? null : compileTransform([{ default: version.defaults }], { types, columns: undefined, hashKeys, where: `${where}.defaults` }).transform
  const nulls = absent.map(([field]) => field)
  return (row, context) => {
    for (const field of nulls) row[field] = null
    if (before !== null) before(row, context)
    return compiled(row, context)
  }
}

function renamedTypes({ fields, rename = {} }: DeclaredVersion, where: string): Types {
  for (const from of Object.keys(rename)) if (!Object.hasOwn(fields, from)) throw wrong(`${where}.${from}`, 'is not among the fields')
  const types = new Map<string, FieldType>()
  for (const [field, text] of Object.entries(fields)) {
    const name = Object.hasOwn(rename, field) ? (rename[field] as string) : field
    if (types.has(name)) throw wrong(where, `gives the name "${name}" to two fields`)
    types.set(name, parseFieldType(text))
  }
  return types
}

/** Every column needs a field of its name whose values fit. */
function checkCover(types: Types, columns: Readonly<Record<string, string>>, where: string): void {
  for (const [column, text] of Object.entries(columns)) {
    const from = types.get(column)
    if (from === undefined) throw wrong(where, `has no field for the column "${column}"`)
    if (!fitsInto(from, parseFieldType(text))) throw wrong(where, `has the field "${column}" of type ${fieldTypeText(from)}, which does not fit the column's ${text}`)
  }
}

function checkColumns({ topic, table = topic, tables, time, id, key, fields, versions, clickhouse }: DeclaredPipeline, columns: Readonly<Record<string, string>>, where: string): void {
  const odd = Object.keys(columns).find((column) => !SIMPLE_COLUMN.test(column))
  if (odd !== undefined) throw wrong(`${where}.fields.${odd}`, 'can not be the name of a column: give it one of lower-case letters, digits and _ in rename')
  for (const reserved of RESERVED_COLUMNS) if (Object.hasOwn(columns, reserved)) throw wrong(`${where}.fields.${reserved}`, 'is a column that the pipeline itself writes; choose another name')
  if (columns[time] !== 'timestamp') throw wrong(`${where}.time`, 'must name a field of type timestamp')
  if (id !== undefined && !Object.hasOwn(columns, id)) throw wrong(`${where}.id`, `names "${id}", which is not among the fields`)
  const known = [fields ?? {}, ...Object.values(versions ?? {}).map((version) => version.fields)]
  if (key !== undefined && !known.some((list) => Object.hasOwn(list, key))) throw wrong(`${where}.key`, `names "${key}", which is not among the fields`)
  for (const column of clickhouse?.orderBy ?? []) {
    const type = columns[column] ?? (RESERVED_COLUMNS.some((reserved) => reserved === column) ? 'string' : undefined)
    if (type === undefined || type.endsWith('?')) throw wrong(`${where}.clickhouse.orderBy`, `names "${column}", which is ${type === undefined ? 'no column' : 'a column that may be null'}`)
  }
  const needsTable = tables?.clickhouse === undefined || tables.timescaledb === undefined
  if (needsTable && !SIMPLE_COLUMN.test(table)) throw wrong(`${where}.table`, `must be given, since the topic name "${topic}" can't be a table name`)
}

function versionSource({ versionFrom: { header, field, absent } = {} }: DeclaredPipeline): VersionSource {
  return { header: header ?? (field === undefined ? 'schema-version' : null), field: field ?? null, absent: absent ?? null }
}

function clickhouseChoices({ time, clickhouse = {} }: DeclaredPipeline): ClickHouseChoices {
  return { orderBy: clickhouse.orderBy ?? [time], partitionBy: clickhouse.partitionBy ?? 'none', ttlDays: clickhouse.ttlDays ?? null }
}

function typesOf(columns: Readonly<Record<string, string>>): Types {
  return new Map(Object.entries(columns).map(([name, text]) => [name, parseFieldType(text)]))
}

function textsOf(types: Types): Readonly<Record<string, string>> {
  return Object.fromEntries([...types].map(([name, type]) => [name, fieldTypeText(type)]))
}

function wrong(where: string, message: string): ConfigurationError {
  return new ConfigurationError(`the pipelines file is wrong: ${where}: ${message}`)
}
