import { signalTree, treeOf } from './process-tree.ts'

/** A server that a test may kill, hold and start again. It keeps its folder and its ports over all of that. */
export interface ManagedServer extends AsyncDisposable {
  /** Where clients reach it. */
  readonly address: string
  /** Its processes, the main one first; empty while it is down. */
  readonly pids: readonly number[]
  /** Sends a signal to all its processes, and waits until they have ended where that is what the signal does. @default SIGKILL */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Holds all its processes (SIGSTOP): connections stay open, and nobody answers. */
  pause(): void
  /** Lets them go on (SIGCONT). */
  resume(): void
  /** Starts it again on the same folder and ports, after ending it if it still runs; resolves when it answers. */
  restart(): Promise<void>
  /** Ends it for good, and removes what it was given for the time. May be called again. */
  stop(): Promise<void>
}

/** One life of a server, from its start to its end. */
export interface ServerLife {
  readonly pid: number
  /** Resolves when the process has ended, for whatever reason. */
  readonly exited: Promise<unknown>
  /** Ends it in good order. */
  end(): Promise<void>
}

export interface ManagedServerPlan<Life extends ServerLife> {
  readonly address: string
  readonly first: Life
  /** Begins another life on the same folder and ports. */
  readonly start: () => Promise<Life>
  /** Removes what shall not stay, after the last life. */
  readonly cleanUp?: (() => Promise<void>) | undefined
}

const ENDING: readonly NodeJS.Signals[] = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGABRT']

/** Makes a managed server of one that runs. */
export function manageServer<Life extends ServerLife>({ address, first, start, cleanUp }: ManagedServerPlan<Life>): ManagedServer {
  let life: Life | undefined
  const live = (next: Life): void => {
    life = next
    const forget = (): void => {
      if (life === next) life = undefined
    }
    void next.exited.then(forget, forget)
  }
  live(first)
  const signal = (name: NodeJS.Signals): void => {
    if (life !== undefined) signalTree(life.pid, name)
  }
  const end = async (): Promise<void> => {
    const ending = life
    if (ending === undefined) return
    // A process that is held would not notice that it is asked to end.
    signal('SIGCONT')
    await ending.end()
  }
  const server: ManagedServer = {
    address,
    get pids() {
      return life === undefined ? [] : treeOf(life.pid)
    },
    kill: async (name = 'SIGKILL') => {
      const killed = life
      signal(name)
      if (ENDING.includes(name)) await killed?.exited
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    restart: async () => {
      await end()
      live(await start())
    },
    stop: async () => {
      await end()
      await cleanUp?.()
    },
    [Symbol.asyncDispose]: () => server.stop(),
  }
  return server
}
