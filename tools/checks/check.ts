import type { Workspace } from './workspace.ts'

/** One thing that must hold in the whole workspace and that neither the compiler nor the linter sees. */
export interface Check {
  name: string
  /** What is wrong, a line each, with the file first; empty when it holds. */
  run(workspace: Workspace): readonly string[]
}
