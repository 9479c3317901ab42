import { defineConfig } from 'vitest/config'
import { COMPILED_PROGRAMS } from './tools/engines/compiled-programs.ts'
import { SlowestFirst } from './tools/test/slowest-first.ts'

const source = { conditions: ['@smart-whale/source'] }

/** Two projects: `unit` needs no server; `integration` runs on real engines that it starts itself. */
export default defineConfig({
  test: {
    // Engines are child processes and native libraries: threads would share what must stay apart.
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: SlowestFirst },
    projects: [
      {
        resolve: source,
        ssr: { resolve: source },
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tools/**/*.test.{ts,mjs}'],
          exclude: ['tools/*/test/**', '**/node_modules/**'],
          // Two processes for all files, not one for each: a third of the work is loading the same modules again. So a test
          // leaves nothing behind, neither a promise that is rejected when its file has ended nor a changed global.
          isolate: false,
          // For what hangs; what has to be quick says so itself. The longest take 7 seconds of a machine of their own.
          testTimeout: 30_000,
        },
      },
      {
        resolve: source,
        ssr: { resolve: source },
        // The environment that the global setup is loaded in.
        environments: { __vitest__: { resolve: source } },
        test: {
          name: 'integration',
          include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tools/*/test/**/*.test.ts'],
          globalSetup: ['tools/engines/global-setup.ts'],
          env: COMPILED_PROGRAMS,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
