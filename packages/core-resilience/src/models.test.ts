import { describe, it } from 'vitest'
import { ALL_MODELS } from '../test/models/all-models.ts'

/** The short form; `npm run test:faults -- models` runs a hundred thousand of each. */
const HISTORIES = 250

describe('each policy behaves like its model for any history', () => {
  it.each(ALL_MODELS.map((model) => [model.name, model] as const))('%s', async (_name, model) => {
    await model.check(HISTORIES, Math.floor(Math.random() * 2 ** 31))
  })
})
