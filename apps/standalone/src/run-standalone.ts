import { createLogger } from '@smart-whale/core-logging'
import { ConfigurationError, type Logger } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import { readPipelinesFile } from '@smart-whale/stream-ingestor'
import { compose, type Standalone } from './compose.ts'
import type { StandaloneConfig } from './config.ts'
import { createProgress, type Progress } from './progress.ts'
import { loadSample } from './sample/load-sample.ts'
import { sampleCounts, type SampleSize } from './sample/sample-files.ts'
import type { StopSignal } from '@smart-whale/app-process/stop-signal'

/** Longest that a stop may take; then the process ends as it is, and the engines with it. */
const STOP_DEADLINE_MS = 9000

/** Runs until `stop` tells it to end. Answers the exit code. */
export async function runStandalone(config: StandaloneConfig, stop: StopSignal): Promise<number> {
  if (config.checkOnly) return checkConfig(config)
  const logger = createLogger({ level: config.logLevel, service: 'smart-whale', destination: { write: (line: string) => process.stderr.write(line) }, pretty: process.stderr.isTTY === true, color: process.stderr.isTTY === true })
  const progress = createProgress()
  let standalone: Standalone
  try {
    standalone = await compose({ config, logger, signal: stop.signal, onStep: progress.step })
  } catch (error) {
    if (!stop.signal.aborted) throw error
    progress.say('stopped before it was ready')
    return 0
  }
  try {
    await serve(standalone, config, { logger, progress, signal: stop.signal })
    await stop.received
    progress.say(`stopping (${String(stop.signal.reason)})`)
  } finally {
    await closeInTime(standalone)
  }
  progress.say('stopped')
  return 0
}

/** Closes everything; past the deadline the process ends as it is. What was acknowledged is on disk either way. */
async function closeInTime(standalone: Standalone): Promise<void> {
  const deadline = setTimeout(() => process.exit(1), STOP_DEADLINE_MS)
  await standalone.close()
  clearTimeout(deadline)
}

async function checkConfig(config: StandaloneConfig): Promise<number> {
  const own = config.pipelinesFile === null ? [] : await readPipelinesFile(config.pipelinesFile)
  process.stdout.write(`the configuration is good: data in ${config.dataDir}, port ${config.port}, ${own.length} pipelines of your own\n`)
  return 0
}

interface Serving {
  readonly logger: Logger
  readonly progress: Progress
  readonly signal: AbortSignal
}

async function serve(standalone: Standalone, config: StandaloneConfig, { logger, progress, signal }: Serving): Promise<void> {
  const url = await listen(standalone, config.port)
  const page = `${url}/#token=${standalone.adminToken}`
  progress.step(`serving on ${page}`)
  if (config.sample !== null) await showSample(standalone, config.sample, { logger, progress, signal })
  if (signal.aborted) return
  progress.ready(url, page, standalone.adminTokenFile)
}

async function listen({ fastify }: Standalone, port: number): Promise<string> {
  try {
    return await fastify.listen({ host: '127.0.0.1', port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new ConfigurationError(`port ${port} is in use; stop what uses it, or choose another one with --port or PORT`, { cause: error })
  }
}

/** Sends the sample and waits until both stores have all of it. A stop ends it without an error. */
async function showSample(standalone: Standalone, size: SampleSize, { logger, progress, signal }: Serving): Promise<void> {
  try {
    await sendSample(standalone, size, { logger, progress, signal })
    while (!signal.aborted) {
      const { pipelines } = await standalone.ingestor.status()
      const sample = pipelines.filter((pipeline) => pipeline.topic === 'flights' || pipeline.topic === 'sp500')
      const lag = sample.reduce((sum, pipeline) => sum + (pipeline.lag ?? 0), 0)
      const halted = sample.find((pipeline) => pipeline.state === 'halted')
      if (halted !== undefined) throw new ConfigurationError(`the pipeline "${halted.name}" halted: ${halted.reason ?? 'see the log'}`)
      const all = sampleCounts(size)
      progress.bar('sample in both stores', all.flights + all.sp500 - lag, all.flights + all.sp500)
      if (lag === 0) return
      await sleep(200, { signal })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** A send that failed may have stored some of its messages: the next round looks at the topic and sends what is missing. */
async function sendSample({ transport }: Standalone, size: SampleSize, { logger, progress, signal }: Serving): Promise<void> {
  for (let failures = 0; ; failures++) {
    try {
      let sent = 0
      const { flights, sp500 } = sampleCounts(size)
      return await loadSample({ transport, size, signal, logger, onSent: (count) => progress.bar('sample sent', (sent += count), flights + sp500) })
    } catch (error) {
      if (signal.aborted || failures === 20) throw error
      logger.warn({ err: error }, 'the sample was not sent whole; going on with what is missing')
      await sleep(500, { signal })
    }
  }
}
