import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { InfrastructureError, type Logger } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { createLogger, type LoggerOptions } from './index.ts'

function setup(options: LoggerOptions = {}) {
  const clock = new FakeClock()
  const lines: string[] = []
  const logger = createLogger({ level: 'trace', service: 'whale', destination: { write: (line) => lines.push(line) }, clock, ...options })
  const last = (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>
  return { logger, lines, last, clock }
}

describe('a logger', () => {
  it('writes one line of JSON with ISO time, level name and service', () => {
    const { logger, lines, last } = setup()

    logger.info({ rows: 3 }, 'stored')

    expect(lines).toHaveLength(1)
    expect(lines[0]?.endsWith('}\n')).toBe(true)
    expect(last()).toEqual({ level: 'info', time: '2026-01-01T00:00:00.000Z', service: 'whale', pid: process.pid, rows: 3, msg: 'stored' })
  })

  it('is a Logger of the interfaces, children included', () => {
    const { logger, last } = setup()
    const port: Logger = logger

    port.child({ pipeline: 'flights' }).warn({ lag: 7 }, 'behind')

    expect(last()).toMatchObject({ level: 'warn', pipeline: 'flights', lag: 7, msg: 'behind', service: 'whale' })
  })

  it('does no work below its level', () => {
    const { logger, lines } = setup({ level: 'warn' })
    const trap = { get field() { return expect.fail('was looked at') } }

    logger.info(trap, 'x')
    logger.child({ a: 1 }).debug(trap)

    expect(lines).toEqual([])
  })

  it('tells an error with its code, facts and causes, each with its stack', () => {
    const { logger, last } = setup()
    const cause = Object.assign(new TypeError('bad shape'), { position: 9n })
    const error = new InfrastructureError('write failed', { code: 'ERR_X', cause, context: { table: 'flights' }, retryable: true })

    logger.error({ err: error, offset: 9_007_199_254_740_993n }, 'slice failed')

    expect(last()).toMatchObject({
      offset: '9007199254740993',
      err: {
        type: 'InfrastructureError',
        code: 'ERR_X',
        retryable: true,
        context: { table: 'flights' },
        stack: expect.stringContaining('logger.test.ts') as string,
        cause: { type: 'TypeError', message: 'bad shape', position: '9', stack: expect.stringContaining('bad shape') as string },
      },
    })
  })

  it('tells errors under other names, and lists of errors', () => {
    const { logger, last } = setup()

    logger.error({ reason: new AggregateError([new Error('one'), 'two'], 'all failed') })

    expect(last()).toMatchObject({ reason: { type: 'AggregateError', errors: [{ message: 'one' }, 'two'] } })
  })

  it('leaves clients and requests that hang on an error out', () => {
    const { logger, lines } = setup()
    class Client {
      readonly inner = 'half of the process'
    }

    logger.error(Object.assign(new Error('x'), { client: new Client(), port: 5432 }))

    expect(lines[0]).not.toContain('half of the process')
    expect(lines[0]).toContain('"port":5432')
  })

  it('ends a chain of causes somewhere', () => {
    const { logger, lines } = setup()
    let error = new Error('root')
    for (let depth = 0; depth < 1000; depth += 1) error = new Error('wrapped', { cause: error })

    logger.error(error)

    expect(lines[0]).toContain('[further causes left out]')
    expect(lines[0]?.length).toBeLessThan(50_000)
  })
})

describe('the text form', () => {
  it('shows time, level, service, sentence, fields and the stack of an error with its cause', () => {
    const { logger, lines } = setup({ pretty: true })

    logger.error({ rows: 3, note: 'two words', err: new Error('outer', { cause: new Error('inner') }) }, 'stored')

    const [head, first] = (lines[0] ?? '').split('\n')
    expect(head).toBe('00:00:00.000 ERROR whale: stored rows=3 note="two words"')
    expect(first).toBe('    Error: outer')
    expect(lines[0]).toMatch(/\n {4}caused by\n {6}Error: inner\n {10}at /)
  })

  it('keeps 64-bit integers exact', () => {
    const { logger, lines } = setup({ pretty: true })

    logger.info({ nested: { offset: 9_007_199_254_740_993n } })

    expect(lines[0]).toContain('9007199254740993')
  })

  it('shows control characters instead of obeying them', () => {
    const { logger, lines } = setup({ pretty: true })

    logger.info({ 'k\u001B[2J': 'v\n00:00:00.000 FATAL forged', err: { message: 'x\u0007' } }, 'a\r\n\u001B]0;title\u0007b')

    expect(lines[0]?.trimEnd().replace('\n    ', ' ')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
  })

  it('is coloured when asked to', () => {
    const { logger, lines } = setup({ pretty: true, color: true })

    logger.warn('careful')

    expect(lines[0]).toContain('\u001B[33mWARN \u001B[0m')
  })
})

describe('where lines go', () => {
  it('is a file, made with its folder and appended to', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'whale-log-'))
    const path = join(folder, 'deep', 'app.log')

    for (const word of ['first', 'second']) {
      const logger = createLogger({ destination: path })
      logger.info(word)
      await logger.flush()
    }

    const lines = (await readFile(path, 'utf8')).trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['first', 'second'])
    await rm(folder, { recursive: true })
  })

  it('is refused with the reason when the file can not be opened', () => {
    expect(() => createLogger({ destination: '/dev/null/app.log' })).toThrow(
      expect.objectContaining({ code: 'ERR_LOGGING_DESTINATION', message: expect.stringContaining('/dev/null/app.log') as string }),
    )
  })

  it('may fail without the work noticing; the failure is told', () => {
    const failures: Error[] = []
    const { logger } = setup({ destination: { write: () => expect.fail('disk full') }, onWriteError: (error) => failures.push(error) })

    logger.info('one')
    logger.child({}).info('two')

    expect(failures.map(({ message }) => message)).toEqual(['disk full', 'disk full'])
  })

  it('may be a stream that breaks later', async () => {
    const failures: Error[] = []
    const stream = new Writable({ write: (_chunk, _encoding, done) => done(new TypeError('gone')) })
    const { logger } = setup({ destination: stream, onWriteError: (error) => failures.push(error) })

    logger.info('one')
    await new Promise((resolve) => stream.once('close', resolve))

    expect(failures).toHaveLength(1)
  })

  it('does not stop the work when a field throws as it is read', () => {
    const failures: Error[] = []
    const { logger, lines } = setup({ onWriteError: (error) => failures.push(error) })

    logger.info({ get field() { return expect.fail('getter') } })
    logger.info('next')

    expect(failures).toHaveLength(1)
    expect(lines).toHaveLength(1)
  })
})

describe('flush', () => {
  it('waits for the destination', async () => {
    const done: ((error?: Error | null) => void)[] = []
    const { logger, clock } = setup({ destination: { write: () => {}, flush: (callback) => void done.push(callback) } })
    let flushed = false

    const flushing = logger.flush().then(() => (flushed = true))
    await clock.advance(1000)
    expect(flushed).toBe(false)
    done[0]?.()
    await flushing

    expect(clock.pendingTimers).toBe(0)
  })

  it('does not wait for ever', async () => {
    const { logger, clock } = setup({ destination: { write: () => {}, flush: () => {} } })

    await clock.runUntilSettled(logger.flush())

    expect(clock.monotonic()).toBe(5000)
  })
})

describe('options', () => {
  it.each([
    ['level', { level: 'loud' as 'info' }],
    ['destination', { destination: '' }],
    ['destination', { destination: {} as { write(): void } }],
    ['maxTextLength', { maxTextLength: 5 }],
  ])('a wrong "%s" is named', (field, options) => {
    expect(() => setup(options)).toThrow(expect.objectContaining({ code: 'ERR_LOGGING_OPTIONS', issues: [expect.objectContaining({ path: [field] })] }))
  })
})
