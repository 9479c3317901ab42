// A process that starts a server and then waits to be killed. Prints where the server is, on one line.
import { startClickHouse } from '../../src/embedded/index.ts'

const [dataDir = '', port = '0'] = process.argv.slice(2)
const server = await startClickHouse({ dataDir, port: Number(port), owner: { password: 'of-the-parent' } })
process.stdout.write(`${JSON.stringify({ pid: server.pid, port: server.port, url: server.url })}\n`)
setInterval(() => {}, 60_000)
