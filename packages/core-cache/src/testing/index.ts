// For tests of code that runs on several nodes
export { type Carry, MemorySharedServer, ServerCopy } from './memory-shared-server.ts'
export { MemoryPersistentLayer } from './memory-persistent-layer.ts'

// The model that tries to make a cache answer with what was invalidated
export { type History, type HistoryOutcome, playHistory } from '../model/stale-model.ts'

// Traffic to try a cache with
export { driftingTrace, loopTrace, type ZipfTrace, zipfTrace } from '../l1/synthetic-traces.ts'

// The model that tries to have a key loaded more often than once
export { type OneLoadOutcome, playOneLoadHistory } from '../model/one-load-model.ts'
