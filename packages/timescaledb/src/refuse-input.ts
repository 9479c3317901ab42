import { TimescaleValidationError } from './errors.ts'

/** Where in the input the wrong thing stands. */
export type InputPath = readonly (string | number)[]

/** The refusal of one part of a caller's input: where, and what would be right. */
export function wrongInput(path: InputPath, message: string): TimescaleValidationError {
  return new TimescaleValidationError(`${path.join('.')} ${message}`, { issues: [{ path, message }] })
}

/** @throws TimescaleValidationError */
export function refuseInput(path: InputPath, message: string): never {
  throw wrongInput(path, message)
}
