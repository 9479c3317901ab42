/** Something the user can act on: its message is printed as one line, without a stack. */
export class SetupError extends Error {
  name = 'SetupError'
}
