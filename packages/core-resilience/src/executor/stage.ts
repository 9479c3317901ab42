import type { Run } from './run.ts'

/**
 * One policy as the executor sees it: what it does when a run goes in, and when it comes out. A stage keeps nothing of a
 * single run but in `run.note(at, …)`, so that one stage serves any number of runs at once. What `enter`, `judged` or `failed` throws,
 * because something that the caller handed to a policy did, is how the run fails for the stages above; no other method may throw.
 */
export abstract class Stage {
  /** Whether it can end a run while its work goes on: the executor then listens to the caller, too. */
  readonly canAbandon: boolean = false
  /** Whether it does nothing unless something fails: it is then passed over on the way in and out. */
  readonly isPassive: boolean = false
  /** Whether it looks at what the work answers: the executor then asks {@link judged} in place of {@link succeeded}. */
  readonly judgesResults: boolean = false
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

  /**
   * What is below has succeeded with this result, in a chain in which a stage looks at results. `true`: the stage goes on by itself,
   * as after a failure.
   */
  judged(run: Run<unknown>, at: number, _result: unknown): boolean {
    this.succeeded(run, at)
    return false
  }

  /** What is below has failed. `true`: the stage goes on by itself and will call `run.goOn`, `run.answer` or `run.refuse`. */
  failed(_run: Run<unknown>, _at: number, _error: unknown): boolean {
    return false
  }

  /** Nobody waits for what is below any more, for the reason given: a deadline that passed, or what the caller says. */
  abandoned(_run: Run<unknown>, _at: number, _reason: unknown): void {}
}

/** The run isn't in yet. */
export const WAITING = Symbol('waiting')
