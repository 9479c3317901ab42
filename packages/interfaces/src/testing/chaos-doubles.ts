import type { BatchWriter } from '../batch-writer.ts'
import type { CachingInterface } from '../caching.ts'
import type { SliceLedger } from '../slice-ledger.ts'
import type { CallOptions, Row, StorageInterface, TableDefinition, Transaction } from '../storage.ts'
import { type ChaosOptions, type ChaosPlan, ChaosRunner } from './chaos-plan.ts'

/** A storage that fails, half-fails and dawdles as the plan says; its transactions do, too. */
export function chaosStorage(storage: StorageInterface, plan: ChaosPlan, options?: ChaosOptions): StorageInterface {
  const chaos = new ChaosRunner(plan, options)
  return {
    connect: () => chaos.call('connect', [], () => storage.connect()),
    disconnect: () => chaos.call('disconnect', [], () => storage.disconnect()),
    isConnected: () => storage.isConnected(),
    execute: <T extends Row>(query: string, params?: readonly unknown[], call?: CallOptions) =>
      chaos.call('execute', [query, params, call], () => storage.execute<T>(query, params, call)),
    executeMany: (query, paramsList, call) => chaos.call('executeMany', [query, paramsList, call], () => storage.executeMany(query, paramsList, call)),
    beginTransaction: async (call) =>
      chaosTransaction(await chaos.call('beginTransaction', [call], () => storage.beginTransaction(call)), chaos),
    withTransaction: (work, call) =>
      chaos.call('withTransaction', [work, call], () => storage.withTransaction((transaction) => work(chaosTransaction(transaction, chaos)), call)),
    createTable: (name: string, schema: TableDefinition, call) =>
      chaos.call('createTable', [name, schema, call], () => storage.createTable(name, schema, call)),
    createHypertable: (table, timeColumn, call) =>
      chaos.call('createHypertable', [table, timeColumn, call], () => storage.createHypertable(table, timeColumn, call)),
    stream: <T extends Row>(query: string, params?: readonly unknown[], call?: CallOptions) =>
      chaos.iterate('stream', [query, params, call], () => storage.stream<T>(query, params, call)),
  }
}

function chaosTransaction(transaction: Transaction, chaos: ChaosRunner): Transaction {
  return {
    execute: <T extends Row>(query: string, params?: readonly unknown[], call?: CallOptions) =>
      chaos.call('transaction.execute', [query, params, call], () => transaction.execute<T>(query, params, call)),
    executeMany: (query, paramsList, call) =>
      chaos.call('transaction.executeMany', [query, paramsList, call], () => transaction.executeMany(query, paramsList, call)),
    commit: () => chaos.call('transaction.commit', [], () => transaction.commit()),
    rollback: () => chaos.call('transaction.rollback', [], () => transaction.rollback()),
    [Symbol.asyncDispose]: () => transaction[Symbol.asyncDispose](),
  }
}

/** A cache that fails, half-fails and dawdles as the plan says. */
export function chaosCache(cache: CachingInterface, plan: ChaosPlan, options?: ChaosOptions): CachingInterface {
  const chaos = new ChaosRunner(plan, options)
  return {
    connect: () => chaos.call('connect', [], () => cache.connect()),
    disconnect: () => chaos.call('disconnect', [], () => cache.disconnect()),
    get: <T>(key: string) => chaos.call('get', [key], () => cache.get<T>(key)),
    set: (key, value, ttlSeconds) => chaos.call('set', [key, value, ttlSeconds], () => cache.set(key, value, ttlSeconds)),
    delete: (key) => chaos.call('delete', [key], () => cache.delete(key)),
    exists: (key) => chaos.call('exists', [key], () => cache.exists(key)),
    ttl: (key) => chaos.call('ttl', [key], () => cache.ttl(key)),
    scanKeys: (pattern) => chaos.iterate('scanKeys', [pattern], () => cache.scanKeys(pattern)),
  }
}

/** A ledger that fails, half-fails and dawdles as the plan says. */
export function chaosSliceLedger(ledger: SliceLedger, plan: ChaosPlan, options?: ChaosOptions): SliceLedger {
  const chaos = new ChaosRunner(plan, options)
  return {
    maxSpan: ledger.maxSpan,
    keepsTablesApart: ledger.keepsTablesApart,
    claimTable: (claim, call) => chaos.call('claimTable', [claim, call], async () => ledger.claimTable?.(claim, call)),
    claim: (scope, owner, call) => chaos.call('claim', [scope, owner, call], () => ledger.claim(scope, owner, call)),
    record: (claim, slice, call) => chaos.call('record', [claim, slice, call], () => ledger.record(claim, slice, call)),
    complete: (claim, slice, call) => chaos.call('complete', [claim, slice, call], () => ledger.complete(claim, slice, call)),
    inspect: (scope, call) => chaos.call('inspect', [scope, call], () => ledger.inspect(scope, call)),
  }
}

/** A writer that fails, half-fails and dawdles as the plan says; what else it can do (`findRefused` …) goes through the plan as well. */
export function chaosBatchWriter<W extends BatchWriter<never>>(writer: W, plan: ChaosPlan, options?: ChaosOptions): W {
  const chaos = new ChaosRunner(plan, options)
  return new Proxy(writer, {
    get: (target, property) => {
      const member: unknown = Reflect.get(target, property, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => chaos.call(String(property), args, async () => (await Reflect.apply(member, target, args)) as unknown)
    },
  })
}
