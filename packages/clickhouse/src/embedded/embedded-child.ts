// Runs libchdb as a ClickHouse HTTP server: `node embedded-child.js <library> <config file>`.
//
// The parent holds the pipe LIFELINE open. When it closes it, or dies however it may, this process kills itself at once.
// By force, because libchdb's orderly end waits five seconds for idle connections and then crashes now and again, with the
// folder locked; a ClickHouse that is killed keeps everything that it has acknowledged.
import { Socket } from 'node:net'
import { DataType, load, open } from 'ffi-rs'

const LIBRARY = 'chdb'
const LIFELINE = 3

// The second query never ends: standard input stays silent. The server's own session must not end, because as long as it lives
// nobody else can log in as its user (see server-config.ts).
const SERVE = "SYSTEM START LISTEN HTTP; SELECT * FROM file('-', 'LineAsString') FORMAT Null"

function dieWithParent(): void {
  const die = (): void => void process.kill(process.pid, 'SIGKILL')
  new Socket({ fd: LIFELINE }).on('end', die).on('close', die).on('error', die).resume()
  // A terminal's Ctrl-C and a service manager's SIGTERM reach the whole process group: the parent decides when this server ends.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
}

/** Resolves only when the server could not start, or ended against our will: the reason is on standard error then. */
async function serve(libraryPath: string, configFile: string): Promise<void> {
  open({ library: LIBRARY, path: libraryPath })
  const commandLine = ['clickhouse', `--config-file=${configFile}`, '--query', SERVE]
  // The result's own error is not asked for: the library has written it to standard error, and crashes when asked.
  await load({
    library: LIBRARY,
    funcName: 'chdb_query_cmdline',
    retType: DataType.External,
    paramsType: [DataType.I32, DataType.StringArray],
    paramsValue: [commandLine.length, commandLine],
    runInNewThread: true,
  })
}

const [libraryPath = '', configFile = ''] = process.argv.slice(2)
dieWithParent()
void serve(libraryPath, configFile).finally(() => setImmediate(() => process.kill(process.pid, 'SIGKILL')))
