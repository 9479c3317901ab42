// As much of Redis's protocol as it takes to ask a server one thing.
import { connect } from 'node:net'
import { ServiceError } from '../service-error.ts'

const TIMEOUT_MS = 2_000

/** Sends one command to a server of this machine, and answers what it says: text, or the number as text. @throws ServiceError for no answer or a refusal */
export function askRedis(port: number, command: readonly (string | number)[], host = '127.0.0.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host })
    let received = Buffer.alloc(0)
    const fail = (why: string): void => {
      socket.destroy()
      reject(new ServiceError(`${command[0]} at ${host}:${port}: ${why}`, { code: 'ERR_SERVICES_PROTOCOL', remedy: "look into the server's log" }))
    }
    socket.setTimeout(TIMEOUT_MS, () => fail(`no answer in ${TIMEOUT_MS} ms`))
    socket.on('error', (error) => fail(error.message))
    socket.on('close', () => fail('it closed the connection'))
    socket.on('connect', () => socket.write(encode(command)))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      const answer = decode(received)
      if (answer === undefined) return
      if (answer.refused) return fail(answer.text)
      socket.removeAllListeners('close')
      socket.destroy()
      resolve(answer.text)
    })
  })
}

function encode(command: readonly (string | number)[]): string {
  return `*${command.length}\r\n${command.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`).join('')}`
}

/** @returns undefined while it is incomplete */
function decode(bytes: Buffer): { readonly text: string; readonly refused: boolean } | undefined {
  const end = bytes.indexOf('\r\n')
  if (end < 0) return undefined
  const kind = bytes.toString('latin1', 0, 1)
  const line = bytes.toString('utf8', 1, end)
  if (kind !== '$') return { text: line, refused: kind === '-' }
  const length = Number(line)
  if (length < 0) return { text: '', refused: false }
  return bytes.length < end + 4 + length ? undefined : { text: bytes.toString('utf8', end + 2, end + 2 + length), refused: false }
}
