import { execFile, type ExecFileException } from 'node:child_process'

export interface Ran {
  code: number
  stdout: string
  /** Both streams, for whoever has to explain a failure. */
  output: string
}

const LIMIT_MS = 120_000
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/** Runs a command to its end, or kills it at the limit. The exit code is an answer, not an exception. */
export function exec(
  command: string,
  args: readonly string[],
  { cwd, limitMs = LIMIT_MS }: { cwd: string; limitMs?: number },
): Promise<Ran> {
  const options = {
    cwd,
    timeout: limitMs,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT_BYTES,
    shell: process.platform === 'win32',
  } as const
  return new Promise((resolve) => {
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const { code, reason } = howItEnded(error, limitMs)
      resolve({ code, stdout, output: [stdout, stderr, reason].join('\n').trim() })
    })
  })
}

function howItEnded(error: ExecFileException | null, limitMs: number): { code: number; reason: string } {
  if (error === null) return { code: 0, reason: '' }
  if (error.killed === true) return { code: 1, reason: `killed after ${limitMs / 1000} s` }
  return typeof error.code === 'number' ? { code: error.code, reason: '' } : { code: 1, reason: error.message }
}

/** For a step without which nothing that follows makes sense. @throws Error with what the command printed */
export async function mustExec(command: string, args: readonly string[], options: { cwd: string; limitMs?: number }): Promise<Ran> {
  const ran = await exec(command, args, options)
  if (ran.code !== 0) throw new Error(`${command} ${args.join(' ')} (exit code ${ran.code})\n${ran.output}`)
  return ran
}
