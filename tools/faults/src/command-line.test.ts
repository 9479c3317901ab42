import { describe, expect, it } from 'vitest'
import { readCommand } from './command-line.ts'

const KNOWN = ['kill-all', 'poison']

describe('readCommand', () => {
  it('reads names, seed and length', () => {
    expect(readCommand(['poison', '--seed', '7', '--short'], KNOWN)).toEqual({ names: ['poison'], seed: 7, isShort: true, help: false })
    expect(readCommand(['all'], KNOWN)).toEqual({ names: KNOWN, seed: 1, isShort: false, help: false })
  })

  it.each([
    [['nothing'], /there is no run "nothing"; there are kill-all, poison/],
    [['poison', '--seed', 'x'], /--seed must be a whole number/],
    [['--fast'], /Unknown option '--fast'/],
  ])('refuses %j', (args, message) => {
    expect(() => readCommand(args, KNOWN)).toThrow(message)
  })
})
