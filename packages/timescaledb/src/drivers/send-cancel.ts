import { connect as connectSocket, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { SqlTlsOptions } from '../sql-driver.ts'

/** Which session of which server to interrupt. */
export interface CancelTarget {
  readonly host: string
  readonly port: number
  readonly tls: SqlTlsOptions | false
  readonly processId: number
  readonly secretKey: number
}

const CANCEL_CODE = 80_877_102
const TLS_CODE = 80_877_103
const LIMIT_MS = 3_000

/**
 * Asks the server to stop what a session is doing. Resolves when the server has taken note, or could not be reached:
 * either way there is nothing more to do, and the session's own answer tells the outcome.
 */
export async function sendCancel(target: CancelTarget): Promise<void> {
  const path = `${target.host}/.s.PGSQL.${target.port}`
  const socket = target.host.startsWith('/') ? connectSocket(path) : connectSocket(target.port, target.host)
  await new Promise<void>((resolve) => {
    socket.setTimeout(LIMIT_MS, () => socket.destroy())
    socket.once('close', () => resolve())
    socket.on('error', () => {})
    socket.once('connect', () => (target.tls ? askForTls(socket, target, target.tls) : socket.end(cancelMessage(target))))
  })
}

function askForTls(socket: Socket, target: CancelTarget, tls: SqlTlsOptions): void {
  const request = Buffer.alloc(8)
  request.writeInt32BE(8, 0)
  request.writeInt32BE(TLS_CODE, 4)
  socket.write(request)
  socket.once('data', (answer) => {
    if (answer.toString('latin1') !== 'S') return socket.destroy()
    const secure = connectTls({ socket, ...(isIP(target.host) ? { host: target.host } : { servername: target.host }), ...tls })
    secure.on('error', () => socket.destroy())
    secure.once('secureConnect', () => secure.end(cancelMessage(target)))
  })
}

function cancelMessage(target: CancelTarget): Buffer {
  const message = Buffer.alloc(16)
  message.writeInt32BE(16, 0)
  message.writeInt32BE(CANCEL_CODE, 4)
  message.writeInt32BE(target.processId, 8)
  message.writeInt32BE(target.secretKey | 0, 12)
  return message
}
