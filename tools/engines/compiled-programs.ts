import { join } from 'node:path'

/**
 * For the environment of processes that tests start (of integration tests, every one that inherits theirs has it): what Node makes of their sources is kept here, so that each but the first starts in half the
 * time. A process that is killed keeps nothing of what it compiled.
 */
export const COMPILED_PROGRAMS = { NODE_COMPILE_CACHE: join(import.meta.dirname, '../../node_modules/.cache/compiled-programs') } as const
