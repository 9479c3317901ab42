import type { Socket } from 'node:net'
import { LISTENER_SPEAKS_TLS } from './connection-failure.ts'

/** How long a silent connection stays unasked; shorter than the patience of most firewalls. */
const KEEP_ALIVE_MS = 30_000

/** A socket's life, whatever its library makes of it. */
export interface WatchedSocket {
  /** Aborts when nothing more will come; the reason is the error that ended it, if any. */
  readonly closed: AbortSignal
  /** Whether the other side, or an error, has ended it. */
  isBroken(): boolean
  /** The error that ended it. */
  failure(): Error | undefined
  /** Breaks it at once; resolves when it is gone. */
  destroy(): Promise<void>
}

/** Watches a socket from its beginning, before anything else listens to it. */
export function watchSocket(socket: Socket, isEncrypted: boolean): WatchedSocket {
  const closed = new AbortController()
  let hasEnded = false
  let failure: Error | undefined
  const gone = new Promise<void>((resolve) => {
    const end = (error?: Error): void => {
      failure ??= error
      hasEnded = true
      closed.abort(failure)
    }
    socket.on('error', end)
    // Comes behind the last answer; a request from now on would wait in vain.
    socket.on('end', () => end())
    socket.on('close', () => {
      end()
      resolve()
    })
  })
  if (!isEncrypted) {
    socket.once('data', (chunk: Buffer) => {
      if (!isTlsAlert(chunk)) return
      socket.destroy(Object.assign(new Error('the listener answered with a TLS alert'), { code: LISTENER_SPEAKS_TLS }))
    })
  }
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  return {
    closed: closed.signal,
    isBroken: () => hasEnded || socket.destroyed,
    failure: () => failure,
    destroy: async () => {
      socket.destroy()
      await gone
    },
  }
}

/** As the length of an answer it would be more than 350 MB. */
function isTlsAlert(chunk: Buffer): boolean {
  return chunk[0] === 0x15 && chunk[1] === 0x03
}
