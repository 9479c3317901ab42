import type { CallOptions } from '@smart-whale/interfaces'
import { partitionedName, type PartitionExecutor } from './partition-catalog.ts'
import { quoteIdentifier, quoteLiteral } from '../quote-identifier.ts'

/** What `create table … (like …)` doesn't bring along, as statements. */
export interface CarriedParts {
  /** Columns whose values are copied: all but the generated ones. */
  readonly storedColumns: readonly string[]
  /** Statements while the old table still exists: sequences change their owner, identities go on counting. */
  beforeDrop(name: string): string[]
  /** Statements once its names are free: keys, foreign keys and indexes under their old names, owner, grants. */
  afterDrop(name: string): string[]
}

type Table = { schema: string; name: string }

/** Unique keys without the time: no partition could keep them alone. */
export async function findKeysWithoutTime(executor: PartitionExecutor, table: Table, timeColumn: string, call?: CallOptions): Promise<string[]> {
  const keys = await executor.execute<{ name: string }>(
    `select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid
     where i.indrelid = to_regclass($1) and i.indisunique
       and not exists (select from pg_attribute a where a.attrelid = i.indrelid and a.attname = $2 and a.attnum = any(i.indkey))`,
    [partitionedName(table), timeColumn],
    call,
  )
  return keys.map(({ name }) => name)
}

/** What hangs on a table and would silently be lost, or be left behind, when the table is replaced. */
export async function findObstacles(executor: PartitionExecutor, table: Table, call?: CallOptions): Promise<string[]> {
  const others = await executor.execute<{ what: string }>(
    `with t as (select to_regclass($1)::oid as id)
     select 'trigger ' || tgname as what from pg_trigger, t where tgrelid = t.id and not tgisinternal
     union all select 'policy ' || polname from pg_policy, t where polrelid = t.id
     union all select 'row-level security' from pg_class, t where oid = t.id and relrowsecurity
     union all select 'rule ' || rulename from pg_rewrite, t where ev_class = t.id
     union all select 'exclusion constraint ' || conname from pg_constraint, t where conrelid = t.id and contype = 'x'
     union all select 'foreign key ' || conname || ' of ' || conrelid::regclass::text from pg_constraint, t where confrelid = t.id and contype = 'f'
     union all select 'privileges of column ' || attname from pg_attribute, t where attrelid = t.id and attacl is not null
     union all select 'inheritance with ' || inhrelid::regclass::text from pg_inherits, t where t.id in (inhrelid, inhparent)
     union all select 'publication ' || pubname from pg_publication_rel join pg_publication p on p.oid = prpubid, t where prrelid = t.id
     union all select distinct 'view ' || v.oid::regclass::text
       from t join pg_depend d on d.refobjid = t.id and d.classid = 'pg_rewrite'::regclass
       join pg_rewrite r on r.oid = d.objid join pg_class v on v.oid = r.ev_class and v.oid <> t.id
     order by 1`,
    [partitionedName(table)],
    call,
  )
  return others.map(({ what }) => what)
}

/** Reads what has to be carried over, before the old table is renamed. */
export async function readCarriedParts(executor: PartitionExecutor, table: Table, call?: CallOptions): Promise<CarriedParts> {
  const params = [partitionedName(table)]
  const columns = await executor.execute<{ name: string; identity: boolean; generated: boolean }>(
    `select attname as name, attidentity <> '' as identity, attgenerated <> '' as generated
     from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`,
    params,
    call,
  )
  const sequences = await executor.execute<{ sequence: string; column: string; identity: boolean }>(
    `select s.oid::regclass::text as sequence, a.attname as column, a.attidentity <> '' as identity
     from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
     join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
     where d.refobjid = to_regclass($1) and d.deptype in ('a', 'i') and d.classid = 'pg_class'::regclass`,
    params,
    call,
  )
  const identities = sequences.filter(({ identity }) => identity)
  const states: SequenceState[] = []
  for (const { sequence } of identities) states.push(await readSequence(executor, sequence, call))
  const statements = await readStatements(executor, params, call)
  return {
    storedColumns: columns.filter(({ generated }) => !generated).map(({ name }) => name),
    beforeDrop: (name) => [
      ...sequences.filter(({ identity }) => !identity).map(({ sequence, column }) => `alter sequence ${sequence} owned by ${name}.${quoteIdentifier(column)}`),
      ...identities.map(({ column }, index) => continueIdentity(name, column, states[index] as SequenceState)),
    ],
    afterDrop: (name) => statements.map((statement) => statement.replaceAll('{table}', () => name)),
  }
}

interface SequenceState {
  readonly lastValue: bigint
  readonly isCalled: boolean
}

async function readSequence(executor: PartitionExecutor, sequence: string, call?: CallOptions): Promise<SequenceState> {
  const [state] = await executor.execute<{ last_value: bigint; is_called: boolean }>(`select last_value, is_called from ${sequence}`, [], call)
  return { lastValue: state?.last_value ?? 1n, isCalled: state?.is_called ?? false }
}

function continueIdentity(name: string, column: string, state: SequenceState): string {
  return `select setval(pg_get_serial_sequence(${quoteLiteral(name)}, ${quoteLiteral(column)}), ${state.lastValue}, ${state.isCalled})::text`
}

/** Keys before indexes, so that a key keeps its name; then owner and grants. `{table}` stands for the new table. */
async function readStatements(executor: PartitionExecutor, params: readonly unknown[], call?: CallOptions): Promise<string[]> {
  const rows = await executor.execute<{ statement: string }>(
    `with t as (select to_regclass($1)::oid as id),
     constraints as (
       select 1 as place, conname::text as name, format('alter table {table} add constraint %I %s', conname, pg_get_constraintdef(oid)) as statement
       from pg_constraint, t where conrelid = t.id and contype in ('p', 'u', 'f')),
     indexes as (
       select 2, c.relname::text, pg_get_indexdef(i.indexrelid) from t join pg_index i on i.indrelid = t.id join pg_class c on c.oid = i.indexrelid
       where not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.conrelid = t.id)),
     owners as (
       select 3, '', format('alter table {table} owner to %I', pg_get_userbyid(relowner))
       from pg_class, t where oid = t.id and pg_get_userbyid(relowner) <> current_user),
     grants as (
       select 4, a.privilege_type, format('grant %s on {table} to %s%s', a.privilege_type,
         case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end, case when a.is_grantable then ' with grant option' else '' end)
       from t join pg_class c on c.oid = t.id cross join lateral aclexplode(c.relacl) a where a.grantee <> c.relowner)
     select statement
     from (select * from constraints union all select * from indexes union all select * from owners union all select * from grants) as all_of_it
     order by place, name`,
    params,
    call,
  )
  return rows.map(({ statement }) => statement)
}
