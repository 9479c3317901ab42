import type { Socket } from 'node:net'

const SASL_HANDSHAKE = 17
const SASL_AUTHENTICATE = 36
const API_VERSIONS = 18

/** Logs in by PLAIN, as Kafka's protocol has it. */
export async function saslPlain(socket: Socket, username: string, password: string): Promise<'let in' | 'refused'> {
  await ask(socket, SASL_HANDSHAKE, 1, text('PLAIN'), 5_000)
  const secret = Buffer.from(`\u0000${username}\u0000${password}`)
  const answer = await ask(socket, SASL_AUTHENTICATE, 0, Buffer.concat([int32(secret.length), secret]), 5_000)
  socket.destroy()
  return answer?.readInt16BE(8) === 0 ? 'let in' : 'refused'
}

/** Asks what needs no login and changes nothing. */
export async function askVersions(socket: Socket, limitMs: number): Promise<'an answer' | 'no answer'> {
  return (await ask(socket, API_VERSIONS, 0, Buffer.alloc(0), limitMs)) === undefined ? 'no answer' : 'an answer'
}

function ask(socket: Socket, api: number, version: number, body: Buffer, limitMs: number): Promise<Buffer | undefined> {
  const header = Buffer.concat([int16(api), int16(version), int32(7), text('test')])
  return new Promise((resolve) => {
    const settle = (answer?: Buffer): void => {
      clearTimeout(timer)
      socket.off('data', settle).off('close', onClose).off('error', onClose)
      resolve(answer)
    }
    const onClose = (): void => settle()
    const timer = setTimeout(settle, limitMs)
    socket.on('data', settle).on('close', onClose).on('error', onClose)
    socket.write(Buffer.concat([int32(header.length + body.length), header, body]))
  })
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function text(value: string): Buffer {
  return Buffer.concat([int16(value.length), Buffer.from(value, 'latin1')])
}
