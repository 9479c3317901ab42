import type { Run } from './run.ts'

/**
 * One policy as the executor sees it: what it does when a run goes in, and when it comes out. A stage keeps nothing of a
 * single run but in `run.slots[at]`, so that one stage serves any number of runs at once. No method may throw, except `enter`.
 */
export abstract class Stage {
  /** Whether it can end a run while its work goes on: the executor then listens to the caller, too. */
  readonly canAbandon: boolean = false
  /** Whether it does nothing unless something fails: it is then passed over on the way in and out. */
  readonly isPassive: boolean = false
  /** Whether work below it is in a retrying layer. */
  readonly retries: boolean = false
  /** Whether calls below find that layer by the asynchronous context. */
  readonly isAmbient: boolean = false

  /**
   * Lets a run in, or answers with the error that refuses it. `WAITING`: it isn't in yet; the stage calls `run.goOn` or `run.refuse`
   * later and hears of it by `abandoned` when nobody waits any more.
   */
  enter(_run: Run<unknown>, _at: number): typeof WAITING | Error | undefined {
    return undefined
  }

  /** What is below has succeeded. */
  succeeded(_run: Run<unknown>, _at: number): void {}

  /** What is below has failed. `true`: the stage goes on by itself and will call `run.again`, `run.answer` or `run.refuse`. */
  failed(_run: Run<unknown>, _at: number, _error: unknown): boolean {
    return false
  }

  /** Nobody waits for what is below any more, for the reason given: a deadline that passed, or what the caller says. */
  abandoned(_run: Run<unknown>, _at: number, _reason: unknown): void {}
}

/** The run isn't in yet. */
export const WAITING = Symbol('waiting')
