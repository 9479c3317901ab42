// For tests of code that runs on several nodes
export { type Carry, MemorySharedServer } from './memory-shared-server.ts'
