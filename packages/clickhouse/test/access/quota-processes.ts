import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** When a query asked, and when it was told that it may go on. */
export interface LetIn {
  readonly askedAt: number
  readonly answeredAt: number
}

/** What a process that shares a quota is told to do. */
export type QuotaTask =
  /** Asks with each of its instances, as many at once as there are askers. Answers when each query was let in. */
  | { readonly do: 'ask'; readonly ms: number; readonly askers: number }
  /** Spends one query with each of its instances. */
  | { readonly do: 'spend' }
  /** Answers how much each instance has seen spent when nothing is left, and 0 when something is. */
  | { readonly do: 'look' }
  | { readonly do: 'end' }

/** Where the processes meet, and what they share. */
export interface SharedQuotaPlan {
  readonly url: string
  readonly prefix: string
  readonly windowSeconds: number
  readonly maxQueries: number
  /** Instances of the store in each process. @default 1 */
  readonly instances?: number
}

/** Processes of their own that share one quota. */
export class QuotaProcesses implements AsyncDisposable {
  readonly #children: readonly ChildProcess[]

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children
  }

  static async start(count: number, { url, prefix, windowSeconds, maxQueries, instances = 1 }: SharedQuotaPlan): Promise<QuotaProcesses> {
    const words = [url, prefix, windowSeconds, maxQueries, instances].map(String)
    const children = Array.from({ length: count }, () => fork(join(import.meta.dirname, 'quota-process.ts'), words, { execArgv: ['--conditions=@smart-whale/source'] }))
    await Promise.all(children.map((child) => once(child, 'message')))
    return new QuotaProcesses(children)
  }

  /** Has all of them do it at once. @returns what each answers */
  all<T>(task: QuotaTask): Promise<T[]> {
    return Promise.all(this.#children.map((_, index) => this.one<T>(index, task)))
  }

  async one<T>(index: number, task: QuotaTask): Promise<T> {
    const child = this.#children[index] as ChildProcess
    const answered = once(child, 'message') as Promise<[T]>
    child.send(task)
    const [answer] = await answered
    return answer
  }

  async kill(index: number): Promise<void> {
    const child = this.#children[index] as ChildProcess
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#children.filter((child) => child.exitCode === null && child.signalCode === null)
    const ended = running.map((child) => once(child, 'exit'))
    for (const child of running) child.send({ do: 'end' } satisfies QuotaTask)
    await Promise.all(ended)
  }
}
