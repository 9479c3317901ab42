import type { Logger } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'

/** A server that runs as a child process. */
export interface RunningEngine {
  /** Settles when the process has ended, for whatever reason. */
  readonly exited: Promise<unknown>
  stop(): Promise<void>
}

/** What {@link superviseEngine} keeps running. */
export interface SuperviseOptions<E extends RunningEngine> {
  /** For log lines. @default none, required */
  name: string
  /** Starts the engine, or starts it again on the same folder and port. @default none, required */
  start: () => Promise<E>
  /** Told when the engine ends, and when it can't be started again. @default none, required */
  logger: Logger
}

/** An engine that is started again whenever it dies. */
export interface SupervisedEngine<E extends RunningEngine> {
  /** The process that runs now, or the one that ran last. */
  current(): E
  /** How many times it was started again. */
  restarts(): number
  /** Stops it for good. */
  stop(): Promise<void>
}

/** Starts an engine and keeps it running until `stop`. Whoever uses it sees a broken connection, then the same address again. */
export async function superviseEngine<E extends RunningEngine>({ name, start, logger }: SuperviseOptions<E>): Promise<SupervisedEngine<E>> {
  const stopping = new AbortController()
  let engine = await start()
  let restarts = 0

  const keepRunning = async (): Promise<void> => {
    for (;;) {
      await engine.exited
      if (stopping.signal.aborted) return
      logger.error({ engine: name }, 'engine ended by itself; starting it again')
      engine = await startAgain()
      if (stopping.signal.aborted) return
      restarts++
      logger.warn({ engine: name, restarts }, 'engine runs again')
    }
  }

  // An engine that can't start right now (its folder still locked, no memory) may in a moment: there is nothing else to do than try.
  const startAgain = async (): Promise<E> => {
    for (let failures = 0; ; failures++) {
      try {
        return await start()
      } catch (error) {
        if (stopping.signal.aborted) return engine
        logger.error({ engine: name, err: error }, 'engine did not start; trying again')
        await sleep(Math.min(5000, 200 * 2 ** failures), { signal: stopping.signal }).catch(() => {})
        if (stopping.signal.aborted) return engine
      }
    }
  }

  const running = keepRunning()
  return {
    current: () => engine,
    restarts: () => restarts,
    stop: async () => {
      stopping.abort()
      await engine.stop()
      await running
      // The loop may have started one more while `stop` was under way.
      await engine.stop()
    },
  }
}
