import { findFreePort } from '../free-ports.ts'
import { ServiceError } from '../service-error.ts'

/** What a line does to what is sent over it; see Toxiproxy's list of toxics. */
export type Toxic =
  /** Nothing gets through and nobody hangs up: a black hole. 0 keeps it so for as long as it is there. */
  | { readonly type: 'timeout'; readonly attributes: { readonly timeout: number } }
  | { readonly type: 'latency'; readonly attributes: { readonly latency: number; readonly jitter?: number } }
  /** Kilobytes a second. */
  | { readonly type: 'bandwidth'; readonly attributes: { readonly rate: number } }
  /** Hangs up (RST) after so many milliseconds. */
  | { readonly type: 'reset_peer'; readonly attributes: { readonly timeout: number } }
  /** Hangs up after so many bytes. */
  | { readonly type: 'limit_data'; readonly attributes: { readonly bytes: number } }

/** One line from a port of this machine to a server. */
export interface ProxyLine {
  /** Port on 127.0.0.1 that clients connect to. */
  readonly port: number
  /** `host:port` that clients connect to. */
  readonly address: string
  /** Hangs up on everybody, and refuses whoever calls, as a dead server does. */
  cut(): Promise<void>
  /** Lets connections through again, and takes away all toxics. */
  mend(): Promise<void>
  /** Swallows all that is sent either way, while connections stay open and new ones are taken. */
  blackHole(): Promise<void>
  /** Adds a toxic. `upstream` is what clients send. @default downstream */
  add(toxic: Toxic, stream?: 'upstream' | 'downstream'): Promise<void>
  /** Takes the line away. */
  remove(): Promise<void>
}

/** What is asked of a Toxiproxy. */
export interface ToxiproxyClient {
  answers(): Promise<boolean>
  /** Makes a line to `host:port`. */
  createLine(upstream: string): Promise<ProxyLine>
}

const TIMEOUT_MS = 5_000
const NEVER: Toxic = { type: 'timeout', attributes: { timeout: 0 } }

/** A client of the Toxiproxy at an HTTP address. */
export function createToxiproxyClient(url: string): ToxiproxyClient {
  const ask = async (method: string, path: string, body?: object): Promise<void> => {
    const init = { method, signal: AbortSignal.timeout(TIMEOUT_MS), ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }) }
    const answer = await fetch(new URL(path, url), init)
    if (answer.ok) return void (await answer.arrayBuffer())
    throw new ServiceError(`Toxiproxy refused ${method} ${path}: ${answer.status} ${await answer.text()}`, { code: 'ERR_SERVICES_PROTOCOL', remedy: 'see its list of proxies and toxics' })
  }
  const createLine = async (upstream: string): Promise<ProxyLine> => {
    const port = await findFreePort()
    const address = `127.0.0.1:${port}`
    const name = `line-${port}`
    await ask('POST', '/proxies', { name, listen: address, upstream, enabled: true })
    const add = (toxic: Toxic, stream: 'upstream' | 'downstream' = 'downstream'): Promise<void> => ask('POST', `/proxies/${name}/toxics`, { ...toxic, stream, name: `${toxic.type}-${stream}` })
    return {
      port,
      address,
      add,
      cut: () => ask('POST', `/proxies/${name}`, { enabled: false }),
      mend: async () => {
        await removeToxics(name)
        await ask('POST', `/proxies/${name}`, { enabled: true })
      },
      blackHole: async () => {
        await Promise.all([add(NEVER, 'upstream'), add(NEVER, 'downstream')])
      },
      remove: () => ask('DELETE', `/proxies/${name}`),
    }
  }
  const removeToxics = async (name: string): Promise<void> => {
    const answer = await fetch(new URL(`/proxies/${name}/toxics`, url), { signal: AbortSignal.timeout(TIMEOUT_MS) })
    for (const toxic of (await answer.json()) as { name: string }[]) await ask('DELETE', `/proxies/${name}/toxics/${toxic.name}`)
  }
  const answers = (): Promise<boolean> => ask('GET', '/version').then(() => true, () => false)
  return { answers, createLine }
}
