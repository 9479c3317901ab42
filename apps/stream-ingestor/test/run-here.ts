import { runCommands } from '@smart-whale/app-process'
import { CLI } from '../src/cli.ts'

/** Runs a command in this process, which is quicker than one of its own: for those that end by themselves. */
export async function runHere(args: readonly string[], environment: Readonly<Record<string, string>>, signal: AbortSignal = new AbortController().signal): Promise<{ code: number; output: string; errors: string }> {
  const written = { output: '', errors: '' }
  const code = await runCommands(CLI, {
    args,
    environment: { LOG_LEVEL: 'silent', PORT: '0', ...environment },
    signal,
    terminal: { out: (text) => void (written.output += text), error: (text) => void (written.errors += text) },
  })
  return { code, ...written }
}
