import { defineConfig } from 'vitest/config'

const source = { conditions: ['@smart-whale/source'] }

/** The unit tests alone, for `npm run test:mutation`: each mutant runs those that reach it. */
export default defineConfig({
  resolve: source,
  ssr: { resolve: source },
  test: { include: ['src/**/*.test.ts'], testTimeout: 10_000 },
})
