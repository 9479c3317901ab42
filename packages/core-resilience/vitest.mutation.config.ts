import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { defineConfig } from 'vitest/config'

const source = { conditions: ['@smart-whale/source'] }

/** Whole histories take long and find most of what the others find as well: they are asked last. */
const ASKED_LAST = /\/(?:models|figures)\.test\.ts$/

class QuickOnesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLast = ({ moduleId }: TestSpecification): number => (ASKED_LAST.test(moduleId) ? 1 : 0)
    return [...files].sort((one, other) => isLast(one) - isLast(other) || one.moduleId.localeCompare(other.moduleId))
  }
}

/** The unit tests alone, for `npm run test:mutation`: each mutant runs those that reach it, in one process until one of them fails. */
export default defineConfig({
  resolve: source,
  ssr: { resolve: source },
  test: { include: ['src/**/*.test.ts'], testTimeout: 10_000, isolate: false, sequence: { sequencer: QuickOnesFirst }, setupFiles: ['test/find-and-stop.ts'] },
})
