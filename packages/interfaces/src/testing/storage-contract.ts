import type { ContractSuite } from './contract-case.ts'
import { storageLimitCases } from './storage-limits.ts'
import { storageStreamCases } from './storage-streams.ts'
import type { StorageSubject } from './storage-subject.ts'
import { storageTableCases } from './storage-tables.ts'
import { storageTransactionCases } from './storage-transactions.ts'
import { storageValueCases } from './storage-values.ts'

/** What every {@link StorageInterface} promises. */
export const storageContract: ContractSuite<StorageSubject> = [
  ...storageValueCases,
  ...storageTableCases,
  ...storageTransactionCases,
  ...storageStreamCases,
  ...storageLimitCases,
]
