// Time
export { FakeClock, type FakeClockOptions } from './fake-clock.ts'

// Contract suites
export type { ContractCase, ContractSuite } from './contract-case.ts'
export { cachingContract } from './caching-contract.ts'
export type { CachingSubject } from './caching-subject.ts'
export { messagingContract, type MessagingSubject } from './messaging-contract.ts'
export { storageContract } from './storage-contract.ts'
export type { StorageDialect, StorageSubject, StorageTypes } from './storage-subject.ts'
export { batchWriterContract, type BatchWriterFixture, type BatchWriterSubject } from './batch-writer-contract.ts'
export type { SliceLedgerSubject } from './slice-ledger-bench.ts'
export { sliceLedgerContract } from './slice-ledger-contract.ts'

// Reference implementations
export { MemoryLedgerStore, MemorySliceLedger } from './memory-slice-ledger.ts'

// Chaos
export { chaosBatchWriter, chaosCache, chaosSliceLedger, chaosStorage } from './chaos-doubles.ts'
export { type ChaosAction, type ChaosCall, type ChaosOptions, type ChaosPlan, chaosSchedule, chaosWhen } from './chaos-plan.ts'
