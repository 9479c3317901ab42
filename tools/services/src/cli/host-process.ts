// Runs one service in the background: from `up` to `down`. Its servers end with it, however it ends.
import { describeFailure } from '../service-error.ts'
import { type RunningService, SERVICES } from '../service-catalogue.ts'

/** What it tells the command that started it. */
export type HostReport =
  | { readonly kind: 'progress'; readonly line: string }
  | { readonly kind: 'ready'; readonly variables: Readonly<Record<string, string>>; readonly pids: readonly number[] }
  | { readonly kind: 'failed'; readonly message: string }

const [name = '', folder = ''] = process.argv.slice(2)
const ending = Promise.withResolvers<void>()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ending.resolve())

/** Until the service is ready, whoever asked for it is waiting: without them it isn't wanted. */
const onGone = (): void => ending.resolve()
process.on('disconnect', onGone)

function report(message: HostReport): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve()
    process.send(message, () => resolve())
  })
}

async function serve(service: RunningService): Promise<void> {
  process.off('disconnect', onGone)
  await report({ kind: 'ready', variables: service.variables, pids: service.pids })
  if (process.connected) process.disconnect()
  // Nothing else keeps a process alive whose children are apart from it.
  const alive = setInterval(() => {}, 60_000)
  await ending.promise
  clearInterval(alive)
  await service.stop()
}

async function main(): Promise<number> {
  const definition = SERVICES.find((service) => service.name === name)
  if (definition === undefined) return 2
  try {
    const starting = definition.start(folder, (line) => void report({ kind: 'progress', line }))
    const first = await Promise.race([starting, ending.promise])
    // Half-started servers end with this process.
    if (first === undefined) return 1
    await serve(first)
    return 0
  } catch (error) {
    await report({ kind: 'failed', message: describeFailure(error) })
    return 1
  }
}

process.exit(await main())
