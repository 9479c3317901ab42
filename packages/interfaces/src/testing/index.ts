// Time
export { FakeClock, type FakeClockOptions } from './fake-clock.ts'

// Contract suites
export type { ContractCase, ContractSuite } from './contract-case.ts'
export { cachingContract } from './caching-contract.ts'
export type { CachingSubject } from './caching-subject.ts'
export { storageContract } from './storage-contract.ts'
export type { StorageDialect, StorageSubject, StorageTypes } from './storage-subject.ts'
