// The launcher as a process, in a small workspace of its own, with stand-ins for npm and pnpm that note their calls.
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findProcess } from './process-table.mjs'

const FAKE_NPM = `#!/bin/sh
echo "npm $*" >> "$FAKE_LOG"
[ -n "$FAKE_NPM_FAILS" ] && { echo "registry unreachable" >&2; exit 1; }
[ -n "$FAKE_NPM_HANGS" ] && { mkdir -p node_modules/pnpm; exec sleep 30; }
sleep 0.2
mkdir -p node_modules/pnpm
cat > node_modules/pnpm/pnpm <<'PNPM'
#!/bin/sh
[ "$1" = --version ] && { echo 99.0.0; exit 0; }
echo "pnpm $*" >> "$FAKE_LOG"
mkdir -p node_modules
PNPM
chmod +x node_modules/pnpm/pnpm
`

describe.skipIf(process.platform === 'win32')('the launcher', () => {
  let root
  let env
  let started
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'launcher-'))
    started = []
    mkdirSync(join(root, 'bin'))
    mkdirSync(join(root, 'packages/a'), { recursive: true })
    cpSync(import.meta.dirname, join(root, 'tools/toolchain'), { recursive: true, filter: (path) => !path.includes('.test.') })
    write('bin/npm', FAKE_NPM, 0o755)
    write('package.json', '{ "packageManager": "pnpm@99.0.0", "toolchain": { "node": "24.21.0" } }')
    write('pnpm-workspace.yaml', 'packages:\n  - packages/*\n')
    write('pnpm-lock.yaml', 'lockfileVersion: 9\n')
    write('packages/a/package.json', '{}')
    env = { PATH: [join(root, 'bin'), dirname(process.execPath), '/usr/bin', '/bin'].join(':'), FAKE_LOG: join(root, 'log') }
  })
  afterEach(() => {
    for (const child of started) child.kill('SIGKILL')
    rmSync(root, { recursive: true, force: true, maxRetries: 5 })
  })

  const write = (file, text, mode) => writeFileSync(join(root, file), text, { mode })
  const log = () => (existsSync(join(root, 'log')) ? readFileSync(join(root, 'log'), 'utf8').split('\n') : [])
  const calls = (tool) => log().filter((line) => line.startsWith(tool)).length
  const toolchain = () => (existsSync(join(root, '.toolchain')) ? readdirSync(join(root, '.toolchain')) : [])
  const launcher = [process.execPath, 'tools/toolchain/run.mjs']
  /** Detached: the terminal that the tests may run in is not the launcher's, so a SIGINT sent to it did not come from a Ctrl-C. */
  function start(words, extra = {}) {
    const child = spawn(words[0], words.slice(1), {
      cwd: root,
      env: { ...env, ...extra },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    started.push(child)
    const run = { child, stdout: '', stderr: '' }
    child.stdout.on('data', (chunk) => (run.stdout += chunk))
    child.stderr.on('data', (chunk) => (run.stderr += chunk))
    run.end = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })))
    return run
  }
  const until = (holds) => expect.poll(holds, { interval: 20 }).toBe(true)
  const isGone = (pid) => findProcess(pid) === undefined

  it('sets up, runs the command with its own arguments, and hands on its exit code', async () => {
    const run = start([...launcher, 'sh', '-c', 'pnpm --version; echo "$1"; exit 7', 'sh', 'two words'])

    expect(await run.end).toMatchObject({ code: 7 })
    expect(run.stdout).toBe('99.0.0\ntwo words\n')
    expect(run.stderr).toMatch(/toolchain ready in [\d.]+ s\n.*\nsetup: workspace installed in [\d.]+ s/)
  })

  it('says nothing and calls nobody the second time', async () => {
    await start([...launcher, 'true']).end
    const second = start([...launcher, 'true'], { FAKE_NPM_FAILS: '1' })

    expect(await second.end).toMatchObject({ code: 0 })
    expect(second.stderr).toBe('')
    expect([calls('npm'), calls('pnpm')]).toEqual([1, 1])
  })

  it('installs again when the manifest of a project has changed', async () => {
    await start([...launcher, 'true']).end
    write('packages/a/package.json', '{ "dependencies": {} }')
    await start([...launcher, 'true']).end

    expect([calls('npm'), calls('pnpm')]).toEqual([1, 2])
  })

  it('repairs what a run left that was killed in the middle', async () => {
    const killed = start([...launcher, 'true'], { FAKE_NPM_HANGS: '1' })
    await until(() => toolchain().some((name) => existsSync(join(root, '.toolchain', name, 'node_modules'))))
    const orphan = JSON.parse(readFileSync(join(root, '.toolchain/lock'), 'utf8')).child
    killed.child.kill('SIGKILL')
    const next = start([...launcher, 'pnpm', '--version'])

    expect(await next.end).toMatchObject({ code: 0 })
    expect(next.stdout).toBe('99.0.0\n')
    expect(findProcess(orphan.pid)).toBeUndefined()
    expect(toolchain().filter((name) => /^(unfinished|lock)/.test(name))).toEqual([])
  })

  it('sets up once when two start at the same time', async () => {
    const both = [start([...launcher, 'pnpm', '--version']), start([...launcher, 'pnpm', '--version'])]

    expect(await Promise.all(both.map((run) => run.end))).toMatchObject([{ code: 0 }, { code: 0 }])
    expect([calls('npm'), calls('pnpm')]).toEqual([1, 1])
  })

  it('says in a line that the registry does not answer', async () => {
    const run = start([...launcher, 'true'], { FAKE_NPM_FAILS: '1' })

    expect(await run.end).toMatchObject({ code: 1 })
    expect(run.stderr).toMatch(/npm could not fetch pnpm@99.0.0. Is the registry reachable\?\nregistry unreachable/)
  })

  it('says in a line that npm or the command does not exist', async () => {
    const withoutNpm = start([...launcher, 'true'], { PATH: dirname(process.execPath) === '/usr/bin' ? '/bin/none' : '/none' })
    expect(await withoutNpm.end).toMatchObject({ code: 1 })
    expect(withoutNpm.stderr).toMatch(/^setup: npm was not found on PATH.*\n$/)

    const withoutCommand = start([...launcher, 'no-such-command'])
    expect(await withoutCommand.end).toMatchObject({ code: 1 })
    expect(withoutCommand.stderr).toMatch(/setup: command not found: no-such-command\n$/)
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'])('passes %s on and waits for the command to end in its own way', async (signal) => {
    await start([...launcher, 'true']).end
    const script = `process.on('${signal}', () => setTimeout(() => process.exit(5), 50)); console.log('up'); setTimeout(() => {}, 20000)`
    const run = start([...launcher, 'node', '-e', script])
    await until(() => run.stdout === 'up\n')
    run.child.kill(signal)

    expect(await run.end).toEqual({ code: 5, signal: null })
  })

  it('reports a command that a signal ended as a shell does', async () => {
    const run = start([...launcher, 'sh', '-c', 'kill -KILL $$'])

    expect(await run.end).toMatchObject({ code: 137 })
  })

  it('asks the command to end when its own parent is killed', async () => {
    await start([...launcher, 'true']).end
    const script = `console.log(process.pid); process.on('SIGTERM', () => { console.log('asked'); process.exit(0) }); setTimeout(() => {}, 20000)`
    const run = start(['sh', '-c', `"$@"; true`, 'sh', ...launcher, 'node', '-e', script])
    await until(() => /\d+\n/.test(run.stdout))
    run.child.kill('SIGKILL')

    await until(() => run.stdout.includes('asked'))
    await until(() => isGone(Number.parseInt(run.stdout, 10)))
  })

  it('takes Ctrl-C during the setup as the end of it, and leaves no lock behind', async () => {
    const run = start([...launcher, 'true'], { FAKE_NPM_HANGS: '1' })
    await until(() => calls('npm') === 1)
    run.child.kill('SIGINT')

    expect(await run.end).toMatchObject({ code: 130 })
    expect(existsSync(join(root, '.toolchain/lock'))).toBe(false)
  })
})
