import { isDeepStrictEqual } from 'node:util'
import { OperationError, toWire } from '@smart-whale/interfaces'

/** @throws OperationError when a contender did not do what the others do */
export function requireEqual(contender: string, found: unknown, expected: unknown): void {
  if (isDeepStrictEqual(found, expected)) return
  const text = (value: unknown): string => JSON.stringify(toWire(value))
  throw new OperationError(`${contender} did other work than the rest: ${text(found)} instead of ${text(expected)}`)
}
