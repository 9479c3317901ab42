import type { FastifyInstance } from 'fastify'
import { ConfigurationError, type Logger } from '@smart-whale/interfaces'

/** What {@link serveApp} runs. */
export interface ServedApp {
  readonly logger: Logger
  readonly address: { readonly host: string; readonly port: number }
  /** Asked for by a signal of the process. */
  readonly signal: AbortSignal
  /** Everything but listening; the instance's `close` stops all of it. What was opened is closed again when it rejects. */
  readonly compose: (signal: AbortSignal) => Promise<ComposedApp>
}

/** An app that doesn't listen yet. */
export interface ComposedApp {
  readonly fastify: FastifyInstance
  /** What may take a while: begun once it listens, so that the process is known to be alive meanwhile. A failure ends the app. */
  begin?(signal: AbortSignal): Promise<void>
}

/** Longest that a stop may take; then the process ends as it is. */
const STOP_DEADLINE_MS = 9000

/** Serves until the signal aborts, then closes everything. A stop during the start is a stop as well. */
export async function serveApp({ logger, address, signal, compose }: ServedApp): Promise<void> {
  const deadline = endInTime(signal, logger)
  try {
    const app = await unlessStopped(() => compose(signal), signal)
    if (app === null) return
    const { fastify } = app
    try {
      if (!signal.aborted) logger.info({ address: await listen(fastify, address) }, 'serving')
      if (!signal.aborted) await unlessStopped(async () => app.begin?.(signal), signal)
      await aborted(signal)
      logger.info({ signal: String(signal.reason) }, 'stopping')
    } finally {
      await fastify.close()
    }
    logger.info({}, 'stopped')
  } finally {
    deadline.dispose()
  }
}

/** Null when a stop came first: what fails then is the stop. */
async function unlessStopped<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | null> {
  try {
    return await work()
  } catch (error) {
    if (signal.aborted) return null
    throw error
  }
}

async function listen(fastify: FastifyInstance, address: ServedApp['address']): Promise<string> {
  try {
    return await fastify.listen(address)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new ConfigurationError(`port ${address.port} is in use; stop what uses it, or choose another one with PORT`, { cause: error })
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** From the signal on, the process has so long to end by itself. */
function endInTime(signal: AbortSignal, logger: Logger): { dispose(): void } {
  let timer: NodeJS.Timeout | undefined
  const begin = (): void => {
    timer = setTimeout(() => {
      logger.error({ deadlineMs: STOP_DEADLINE_MS }, 'the stop took too long; the process ends as it is, and the next start repeats what was under way')
      process.exit(1)
    }, STOP_DEADLINE_MS)
  }
  if (signal.aborted) begin()
  else signal.addEventListener('abort', begin, { once: true })
  return {
    dispose: () => {
      signal.removeEventListener('abort', begin)
      clearTimeout(timer)
    },
  }
}
