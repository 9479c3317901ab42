import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { OperationError } from '@smart-whale/interfaces'

/** Callers at a time, each on a connection of its own. */
const CALLERS = 16
const END_OF_HEAD = Buffer.from('\r\n\r\n')

/** What is asked, over and over. */
export interface Request {
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Callers who cost far less than any server that they call, so that it is always the server who is busy: one that waits for its
 * callers now and then is told of each answer's arrival at another price, and the comparison wouldn't be one.
 */
export class Callers {
  readonly #connections: Connection[]

  private constructor(connections: Connection[]) {
    this.#connections = connections
  }

  static async connect(request: Request): Promise<Callers> {
    return new Callers(await Promise.all(Array.from({ length: CALLERS }, () => Connection.open(request))))
  }

  /** The body of one answer. */
  async askOnce(): Promise<string> {
    return (this.#connections[0] as Connection).ask(1)
  }

  /** Asks so many times, shared out among the callers. */
  async ask(times: number): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.ask(Math.ceil(times / CALLERS))))
  }

  close(): void {
    for (const connection of this.#connections) connection.close()
  }
}

class Connection {
  readonly #socket: Socket
  readonly #request: Buffer
  #received: Buffer = Buffer.alloc(0)
  #left = 0
  #settle: { resolve(body: string): void; reject(error: Error): void } | undefined

  private constructor(socket: Socket, request: Buffer) {
    this.#socket = socket
    this.#request = request
    socket.on('data', (piece: Buffer) => this.#read(piece))
    socket.on('error', (error) => this.#settle?.reject(error))
    socket.on('close', () => this.#settle?.reject(new OperationError('the server closed a connection in the middle of an answer')))
  }

  static async open({ port, path, headers, body }: Request): Promise<Connection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const all = { host: `127.0.0.1:${port}`, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), ...headers }
    const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    return new Connection(socket, Buffer.from(`POST ${path} HTTP/1.1\r\n${head.join('')}\r\n${body}`))
  }

  /** Asks so many times, one after the other; resolves to the body of the last answer. */
  ask(times: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#left = times
      this.#socket.write(this.#request)
    })
  }

  close(): void {
    this.#settle = undefined
    this.#socket.destroy()
  }

  #read(piece: Buffer): void {
    this.#received = this.#received.length === 0 ? piece : Buffer.concat([this.#received, piece])
    const headEnd = this.#received.indexOf(END_OF_HEAD)
    if (headEnd === -1) return
    const head = this.#received.toString('latin1', 0, headEnd)
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1])
    const bodyAt = headEnd + END_OF_HEAD.length
    if (!(this.#received.length >= bodyAt + length)) return
    const answer = this.#received
    this.#received = Buffer.alloc(0)
    if (!head.startsWith('HTTP/1.1 200 ')) return this.#settle?.reject(new OperationError(`a server answered with ${answer.toString('utf8', 0, 300)}`))
    this.#left -= 1
    if (this.#left > 0) this.#socket.write(this.#request)
    else this.#settle?.resolve(answer.toString('utf8', bodyAt, bodyAt + length))
  }
}
