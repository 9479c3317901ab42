import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLogger, type LoggerOptions } from './index.ts'
import { createLineRedactor } from './redact-line.ts'

function setup(options: LoggerOptions = {}) {
  const lines: string[] = []
  const logger = createLogger({ level: 'trace', destination: { write: (line) => lines.push(line) }, ...options })
  const last = (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>
  return { logger, lines, last }
}

/** The text as it would stand in a line of JSON, or in one that is a text in another. */
const escaped = (text: string): string => JSON.stringify(text).slice(1, -1)
const forms = (secret: string): string[] => [secret, encodeURIComponent(secret), escaped(secret), escaped(escaped(secret))]

const SENSITIVE_KEYS = [
  ...['password', 'Password', 'PGPASSWORD', 'db_password', 'clickhousePassword', 'passwd', 'pwd', 'passphrase', 'passwordHash', 'secret', 'clientSecret'],
  ...['token', 'accessToken', 'refresh_token', 'X-Auth-Token', 'idToken', 'authorization', 'Authorization', 'proxy-authorization', 'cookie', 'set-cookie'],
  ...['apiKey', 'api_key', 'x-api-key', 'APIKEY', 'privateKey', 'accessKey', 'secretAccessKey', 'jwt', 'credentials', 'auth', 'pin', 'otp', 'mfa_code', 'session-id'],
]

// A recognisable start keeps a random secret from being a part of the line by chance.
const secrets = fc.string({ unit: 'binary', minLength: 4, maxLength: 24 }).map((text) => `S3cr~${text}~`)
const wordSecrets = fc.stringMatching(/^[\w]{8,40}$/).map((text) => `S3cr${text}`)
const noise = fc.jsonValue({ maxDepth: 2 })

/** A value at a random depth in objects and lists, beside others. */
function nestedIn<T>(leaf: fc.Arbitrary<T>): fc.Arbitrary<unknown> {
  const layer = fc.oneof(
    fc.tuple(fc.string(), noise).map(([key, beside]) => (value: unknown): unknown => ({ beside, [key]: value, after: 1 })),
    noise.map((beside) => (value: unknown): unknown => [beside, value, 'after']),
  )
  return fc.tuple(leaf, fc.array(layer, { maxLength: 12 })).map(([value, layers]) => layers.reduce((inner, wrap) => wrap(inner), value as unknown))
}

describe('a secret under a telling name', () => {
  const planted = secrets.chain((secret) =>
    fc
      .tuple(fc.constantFrom(...SENSITIVE_KEYS), fc.constantFrom<unknown>(secret, [secret], { value: secret }, [{ deep: [secret] }]))
      .chain(([key, value]) => nestedIn(fc.constant({ [key]: value })))
      .map((fields) => ({ secret, fields })),
  )

  it('never reaches the output, at whatever depth', () => {
    const { logger, lines } = setup()

    fc.assert(
      fc.property(planted, ({ secret, fields }) => {
        lines.length = 0
        logger.info({ fields }, 'logged')
        logger.child({ bound: fields }).warn('from a child')
        logger.error(Object.assign(new Error('failed'), { context: fields }))

        expect(lines).toHaveLength(3)
        for (const form of forms(secret)) expect(lines.join()).not.toContain(form)
        for (const line of lines) JSON.parse(line)
      }),
      { numRuns: 500 },
    )
  })

  it('does not reach the text form either', () => {
    const { logger, lines } = setup({ pretty: true })

    fc.assert(
      fc.property(planted, ({ secret, fields }) => {
        lines.length = 0
        logger.info({ fields }, 'logged')
        expect(lines).toHaveLength(1)
        for (const form of forms(secret)) expect(lines.join()).not.toContain(form)
      }),
    )
  })

  it('is hidden as a number too where numbers can be secrets', () => {
    const { logger, last } = setup()

    logger.info({ password: 123456, pin: 4711, promptTokens: 512, tokenCount: 7, token: null, hasPassword: true, secret: '' })

    expect(last()).toMatchObject({
      password: '[redacted]',
      pin: '[redacted]',
      promptTokens: 512,
      tokenCount: 7,
      token: null,
      hasPassword: true,
      secret: '',
    })
  })

  it('leaves alone what only says something about a secret', () => {
    const { logger, last } = setup()
    const harmless = { tokenType: 'at+jwt', passwordFile: '/run/pw', tokenTtlSeconds: 900, cookieName: 'sid', tokenExpiresAt: '2026', author: 'Ann', shipping: 'sea', key: 'k' }

    logger.info(harmless)

    expect(last()).toMatchObject(harmless)
  })

  it('is hidden in a list of names and values, as raw HTTP headers are', () => {
    const { logger, last } = setup()

    logger.info({ rawHeaders: ['Accept', 'text/html', 'X-Api-Key', 'abcdef', 'Host', 'h'] })

    expect(last()).toMatchObject({ rawHeaders: ['Accept', 'text/html', 'X-Api-Key', '[redacted]', 'Host', 'h'] })
  })

  it('can be named and exempted by the application', () => {
    const { logger, last } = setup({ redactKeys: ['customerIban', 'x$y'], keepKeys: ['pageToken'] })

    logger.info({ customer_iban: 'DE1', CustomerIban: 'DE2', x$y: 'z', pageToken: 'next', token: 'abc' })

    expect(last()).toMatchObject({ customer_iban: '[redacted]', CustomerIban: '[redacted]', x$y: '[redacted]', pageToken: 'next', token: '[redacted]' })
  })
})

describe('a secret inside a text', () => {
  const JWT = 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl'
  const PEM = '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----'

  it.each([
    ['connect to postgres://whale:hunter22@db:5432/main failed', 'connect to postgres://whale:[redacted]@db:5432/main failed'],
    ['redis://:hunter22@cache', 'redis://:[redacted]@cache'],
    ['postgres://me@corp:p@ss/w:rd@db/main', 'postgres://me@corp:[redacted]@db/main'],
    ['http://h:80/x,https://u:12345@h2/y', 'http://h:80/x,https://u:[redacted]@h2/y'],
    ['Authorization: Bearer abcdefgh.ijkl', 'Authorization: [redacted]'],
    ['sent bearer abcdefgh12 to it', 'sent bearer [redacted] to it'],
    ['Basic d2hhbGU6c2VjcmV0', 'Basic [redacted]'],
    [`got ${JWT}, refused`, 'got [redacted], refused'],
    [`key\n${PEM}\nend`, 'key\n[redacted]\nend'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMIIE', '[redacted]'],
    ["host=db password='a b\\'c' dbname=x", 'host=db password=[redacted] dbname=x'],
    ['Server=db;Password=p,q;Database=x', 'Server=db;Password=[redacted];Database=x'],
    ['GET /rows?limit=1&access_token=abc&x=1', 'GET /rows?limit=1&access_token=[redacted]&x=1'],
    ['GET /?next=/a?token=abc', 'GET /?next=/a?token=[redacted]'],
    ['body {"user":"u","password":"a\\"b","x":1}', 'body {"user":"u","password":[redacted],"x":1}'],
    ["{ user: 'u', password: 'abc' }", "{ user: 'u', password: [redacted] }"],
    ["ALTER ROLE x PASSWORD 'it''s'", "ALTER ROLE x PASSWORD '[redacted]'"],
    ["CREATE USER x IDENTIFIED BY 'abc'", "CREATE USER x IDENTIFIED BY '[redacted]'"],
    ["CREATE USER x IDENTIFIED WITH sha256_password\nBY 'abc'", "CREATE USER x IDENTIFIED WITH sha256_password\nBY '[redacted]'"],
  ])('%j', (text, expected) => {
    const { logger, last } = setup()

    logger.info({ note: text }, text)

    expect(last()).toMatchObject({ msg: expected, note: expected })
  })

  it.each([
    'listening on http://localhost:4000/@scope/page',
    'Basic authentication is off',
    'the token is expired; get a new one',
    'token: expired',
    'chdb 26.7.1 at node_modules/.pnpm/x.y.z',
    'bearer token needed',
    '3 secrets rotated, 12 tokens used',
    'a passwordless login',
  ])('%j holds none and stays', (text) => {
    const { logger, last } = setup()

    logger.info(text)

    expect(last()['msg']).toBe(text)
  })

  it('never reaches the output: passwords in addresses, at any depth, in messages, keys, errors, causes and stacks', () => {
    const { logger, lines } = setup()
    const user = fc.stringMatching(/^[\w.%-]{0,10}$/)
    const planted = fc.record({
      secret: fc.oneof(wordSecrets, secrets.map(encodeURIComponent), fc.stringMatching(/^[\w:/@?#%=&;,.-]{3,20}$/).map((text) => `S3cr${text}Z`)),
      scheme: fc.constantFrom('postgres', 'https', 'clickhouse+https', 'redis', 'mongodb'),
      user,
      layers: nestedIn(fc.constant('HOLE')),
    })

    fc.assert(
      fc.property(planted, ({ secret, scheme, user: name, layers }) => {
        const address = `${scheme}://${name}:${secret}@db.internal:5432/main?ssl=1`
        const inner = new Error(`refused by ${address}`)
        const outer = new Error(`can't connect to ${address}`, { cause: inner })
        lines.length = 0
        logger.info(JSON.parse(JSON.stringify({ layers, [address]: 1 }).replaceAll('HOLE', escaped(address))) as object, `opening ${address}`)
        logger.error({ err: outer, reason: new AggregateError([inner], address) })
        logger.error(outer)

        expect(lines).toHaveLength(3)
        for (const form of forms(secret)) expect(lines.join()).not.toContain(form)
      }),
      { numRuns: 500 },
    )
  })

  it('never reaches the output: named values and bearer tokens in messages', () => {
    const { logger, lines } = setup()
    const around = fc.constantFrom<(secret: string) => string>(
      (secret) => `host=db password=${secret} dbname=x`,
      (secret) => `curl -H "Authorization: Bearer ${secret}" x`,
      (secret) => `GET /x?a=1&api_key=${secret}&b=2`,
      (secret) => JSON.stringify({ a: [{ clientSecret: secret }] }),
      (secret) => JSON.stringify({ body: JSON.stringify({ token: secret }) }),
      (secret) => `SET PASSWORD '${secret}'`,
    )

    fc.assert(
      fc.property(wordSecrets, around, fc.string(), (secret, write, before) => {
        lines.length = 0
        logger.warn({ err: new Error(write(secret)) }, `${before} ${write(secret)}`)
        expect(lines.join()).not.toContain(secret)
      }),
    )
  })

  it('can be described by the application', () => {
    const { logger, last } = setup({ redactPatterns: [/\bDE\d{8}\b/] })

    logger.info({ list: ['from DE12345678 to DE87654321'] })

    expect(last()).toMatchObject({ list: ['from [redacted] to [redacted]'] })
  })

  it('is not uncovered by the cut of a long text', () => {
    const { logger, last } = setup({ maxTextLength: 100 })
    const text = `${'x'.repeat(80)} postgres://whale:${'hunter22'.repeat(20)}@db/main`

    logger.info(text)

    expect(last()['msg']).toBe(`${`${'x'.repeat(80)} postgres://whale:[redacted]@db/main`.slice(0, 100)}… (${text.length} characters)`)
  })
})

describe('redaction', () => {
  it('leaves the caller’s objects as they were, frozen ones too', () => {
    const { logger } = setup()
    const fields = Object.freeze({ password: 'hunter22', nested: Object.freeze({ token: 'abc' }), err: Object.freeze(new Error('x', { cause: Object.freeze(new Error('y')) })) })
    const before = JSON.stringify(fields)

    logger.info(fields)

    expect(JSON.stringify(fields)).toBe(before)
    expect(Reflect.ownKeys(fields.err).sort()).toEqual(['cause', 'message', 'stack'])
  })

  it('copes with circles, and hides what they hold', () => {
    const { logger, lines } = setup()
    const circle: Record<string, unknown> = { password: 'hunter22', url: 'postgres://u:hunter22@h' }
    circle['self'] = circle
    const error = new Error('round')
    error.cause = error

    logger.info({ circle, error, list: [circle] }, 'round')

    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain('hunter22')
  })

  it('keeps everything else byte for byte', () => {
    const { logger, lines } = setup({ pretty: false })
    const plain = setup()

    fc.assert(
      fc.property(noise, (value) => {
        lines.length = plain.lines.length = 0
        plain.logger.info({ value })
        logger.info({ value, password: 'hunter22' })
        expect(lines[0]?.replace(',"password":"[redacted]"', '').replace(/"time":"[^"]*"/, '')).toBe(plain.lines[0]?.replace(/"time":"[^"]*"/, ''))
      }),
    )
  })

  it('hides the whole of a nested value, whatever its texts look like', () => {
    const { logger, last } = setup()

    logger.info({ before: 1, credentials: { user: 'u}', notes: ['"]}', '\\'], password: 'hunter22' }, after: [{ pin: [1, [2]] }, 3] })

    expect(last()).toMatchObject({ before: 1, credentials: '[redacted]', after: [{ pin: '[redacted]' }, 3] })
  })

  it('misses nothing by looking at a line before walking it', () => {
    const words = fc.constantFrom(...SENSITIVE_KEYS, '://u:p@h', 'eyJhbGciOiJ9.e', 'basic aB3defgh', '=', ' ', ':', '"', "'x'", '\n', '-', '_', 'mfa', 'code', 'identified\nby ')
    const texts = fc.array(words, { maxLength: 5 }).map((parts) => parts.join(''))
    const quick = createLineRedactor()
    // Any pattern of the application's makes it walk every line.
    const thorough = createLineRedactor({ redactPatterns: [/(?!)/] })

    fc.assert(
      fc.property(fc.dictionary(texts, fc.oneof(texts, fc.integer(), fc.array(texts))), (fields) => {
        const line = JSON.stringify(fields)
        expect(quick(line)).toBe(thorough(line))
      }),
      { numRuns: 1000 },
    )
  })

  it('hides the bytes of a buffer', () => {
    const { logger, last } = setup()

    logger.info({ body: Buffer.from('hunter22'), list: [Buffer.from('x')] })

    expect(last()).toMatchObject({ body: { type: 'Buffer', data: '[redacted]' }, list: [{ data: '[redacted]' }] })
  })

  it('takes time in proportion to the text, whatever an attacker sends', () => {
    const { logger, lines } = setup({ maxTextLength: 200_000 })
    const hostile = ['://a:', '://', 'eyJ', 'eyJ.', 'bearer ', 'password=', '"password":"', "password '", '-----BEGIN PRIVATE KEY-----', 'cookie: ', '\\', 'p-', 'a.']

    const started = performance.now()
    for (const part of hostile) logger.info(`secret ${part.repeat(Math.floor(100_000 / part.length))}`)

    expect(lines).toHaveLength(hostile.length)
    // Quadratic rules would need minutes.
    expect(performance.now() - started).toBeLessThan(30_000)
  })
})
