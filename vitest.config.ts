import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { COMPILED_PROGRAMS } from './tools/engines/compiled-programs.ts'
import { SlowestFirst } from './tools/test/slowest-first.ts'

const source = { conditions: ['@smart-whale/source'] }

const INTEGRATION_TESTS = ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tools/*/test/**/*.test.ts']
/** Many files, most of them quick, that mind nothing of what other files have open: a few processes do for all of them. */
const LEAVE_NOTHING_BEHIND = ['packages/{clickhouse,core-cache,timescaledb}/test/**/*.test.ts']

/** `unit` needs no server; `integration` and `integration-shared` run on real engines, which are started once for both of them. */
export default defineConfig({
  // The environment that the global setup is loaded in.
  environments: { __vitest__: { resolve: source } },
  test: {
    globalSetup: ['tools/engines/global-setup.ts'],
    // Engines are child processes and native libraries: threads would share what must stay apart.
    pool: 'forks',
    maxWorkers: 2,
    // For the engines to end; then the run is broken off.
    teardownTimeout: 60_000,
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
          // The longest take 7 seconds of a machine of their own.
          ...forWhatHangs(120_000),
        },
      },
      integrationTests({ name: 'integration', include: INTEGRATION_TESTS, exclude: [...LEAVE_NOTHING_BEHIND, '**/node_modules/**'] }),
      integrationTests({ name: 'integration-shared', include: LEAVE_NOTHING_BEHIND, isolate: false }),
    ],
  },
})

function integrationTests(selection: { name: string; include: string[]; exclude?: string[]; isolate?: boolean }): TestProjectInlineConfiguration {
  return { resolve: source, ssr: { resolve: source }, test: { ...selection, env: COMPILED_PROGRAMS, ...forWhatHangs(300_000) } }
}

/** How long a test, a hook and a wait for a condition may take before they count as hanging: many times what they need, for a machine that has other work besides. What has to be quick says so itself. */
function forWhatHangs(limitMs: number) {
  return { testTimeout: limitMs, hookTimeout: limitMs, expect: { poll: { timeout: 60_000 } } }
}
