import { execFile } from 'node:child_process'

export interface Ran {
  code: number
  stdout: string
  /** Both streams, for whoever has to explain a failure. */
  output: string
}

const LIMIT_MS = 120_000

/** Runs a command to its end, or kills it at the limit. The exit code is an answer, not an exception. */
export function exec(command: string, args: readonly string[], { cwd, limitMs = LIMIT_MS }: { cwd: string; limitMs?: number }): Promise<Ran> {
  const options = { cwd, timeout: limitMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024, shell: process.platform === 'win32' } as const
  return new Promise((resolve) => {
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const ended = error === null ? '' : error.killed === true ? `\nkilled after ${limitMs / 1000} s` : typeof error.code === 'number' ? '' : `\n${error.message}`
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, output: `${stdout}${stderr}${ended}`.trim() })
    })
  })
}

/** For a step without which nothing that follows makes sense. @throws Error with what the command printed */
export async function mustExec(command: string, args: readonly string[], options: { cwd: string; limitMs?: number }): Promise<Ran> {
  const ran = await exec(command, args, options)
  if (ran.code !== 0) throw new Error(`${command} ${args.join(' ')} (exit code ${ran.code})\n${ran.output}`)
  return ran
}
