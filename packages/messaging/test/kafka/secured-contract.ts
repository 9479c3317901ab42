import assert from 'node:assert/strict'
import { createServer } from 'node:tls'
import { assertQuiet, failureOf, SOON, whenQuiet, withConnections } from './connection-subject.ts'
import type { ConnectionCase } from './connection-subject.ts'
import { assertTellsNoSecret, keepingLogger, login, PASSWORD_MECHANISMS, type SecuredSubject, unsignedToken, WRONG_PASSWORD } from './secured-subject.ts'

type SecuredCase = ConnectionCase<SecuredSubject>

const refusal = (message: RegExp) => ({ code: 'ERR_MESSAGING_AUTHENTICATION', name: 'ConfigurationError', message })

const tlsCases: readonly SecuredCase[] = [
  {
    name: 'encrypt, and trust the authority that they are given',
    run: (subject) =>
      withConnections(subject, subject.tls, { tls: { ca: subject.certificate } }, async (api) => {
        const { nodes } = await api.metadata(subject.tls, [], SOON)

        assert.deepEqual(nodes.map(({ port }) => port), [subject.tls.port])
      }),
  },
  {
    name: 'refuse a certificate of an authority that is not known',
    run: (subject) =>
      withConnections(subject, subject.tls, { tls: true }, async (api) => {
        await assert.rejects(api.metadata(subject.tls, [], SOON), refusal(/isn't trusted: give its certificate as tls\.ca/))
      }),
  },
  {
    name: 'refuse a certificate that is for another name',
    run: (subject) =>
      withConnections(subject, subject.tls, { tls: { ca: subject.certificate, servername: 'other.example' } }, async (api) => {
        await assert.rejects(api.metadata(subject.tls, [], SOON), refusal(/is for another name/))
      }),
  },
  {
    name: 'refuse a certificate that has expired',
    async run(subject) {
      const { pfx, passphrase, certificate } = await subject.expired()
      const server = createServer({ pfx, passphrase }, (socket) => socket.on('error', () => {}).destroy())
      server.on('tlsClientError', () => {})
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const target = { host: '127.0.0.1', port: (server.address() as { port: number }).port }
      await withConnections(subject, target, { tls: { ca: certificate } }, async (api) => {
        await assert.rejects(api.metadata(target, [], SOON), refusal(/has expired: renew it \(CERT_HAS_EXPIRED\)/))
      })
      await new Promise((resolve) => server.close(resolve))
    },
  },
  {
    name: 'say that a listener speaks TLS when they come without',
    run: (subject) =>
      withConnections(subject, subject.tls, {}, async (api) => {
        await assert.rejects(api.metadata(subject.tls, [], SOON), refusal(/the listener speaks TLS: set the option tls/))
      }),
  },
  {
    name: 'say that a listener does not speak TLS when they come with it',
    run: (subject) =>
      withConnections(subject, subject.plain, { tls: { ca: subject.certificate } }, async (api) => {
        const error = await failureOf(api.metadata(subject.plain, [], SOON))

        assert.match(error.message, /the listener doesn't speak TLS/)
      }),
  },
]

const passwordCases: readonly SecuredCase[] = PASSWORD_MECHANISMS.flatMap((mechanism): SecuredCase[] => [
  {
    name: `log in by ${mechanism}, with TLS and without`,
    async run(subject) {
      const sasl = login(subject, mechanism)
      await withConnections(subject, subject.sasl, { sasl }, (api) => api.metadata(subject.sasl, [], SOON))
      await withConnections(subject, subject.saslTls, { sasl, tls: { ca: subject.certificate } }, (api) => api.metadata(subject.saslTls, [], SOON))
    },
  },
  {
    name: `say that ${mechanism} refused a password, and never which`,
    async run(subject) {
      const { logger, text } = keepingLogger()
      const timers = await whenQuiet()
      const sasl = login(subject, mechanism, WRONG_PASSWORD)
      await withConnections(subject, subject.sasl, { sasl, logger }, async (api) => {
        const error = await failureOf(api.metadata(subject.sasl, [], SOON))

        assert.deepEqual([error.code, error.name, error.retryable], ['ERR_MESSAGING_AUTHENTICATION', 'ConfigurationError', false], error.message)
        assert.match(error.message, new RegExp(`SASL ${mechanism} of user "${subject.user.username}" was refused: check username and password`))
        assertTellsNoSecret(error, text(), WRONG_PASSWORD)
      })
      await assertQuiet(timers)
    },
  },
])

const saslCases: readonly SecuredCase[] = [
  {
    name: 'ask for the password anew for each connection',
    async run(subject) {
      let asked = 0
      const password = (): Promise<string> => Promise.resolve(++asked === 1 ? subject.user.password : WRONG_PASSWORD)
      await withConnections(subject, subject.sasl, { sasl: { mechanism: 'SCRAM-SHA-256', username: subject.user.username, password } }, async (api) => {
        await api.metadata(subject.sasl, [], SOON)
        await assert.rejects(api.metadata(subject.sasl, [], { ...SOON, channel: 'another' }), refusal(/was refused/))

        assert.equal(asked, 2)
      })
    },
  },
  {
    name: 'say that no password was brought, and nothing of why',
    async run(subject) {
      const { logger, text } = keepingLogger()
      const password = (): Promise<string> => Promise.reject(new TypeError(`vault said ${WRONG_PASSWORD}`))
      await withConnections(subject, subject.sasl, { logger, sasl: { mechanism: 'PLAIN', username: 'anyone', password } }, async (api) => {
        const error = await failureOf(api.metadata(subject.sasl, [], SOON))

        assert.deepEqual([error.code, error.retryable], ['ERR_MESSAGING_AUTHENTICATION', true])
        assert.match(error.message, /sasl\.password failed with TypeError/)
        assertTellsNoSecret(error, text(), WRONG_PASSWORD)
      })
    },
  },
  {
    name: 'log in by a token, which is asked for anew',
    async run(subject) {
      let asked = 0
      const token = (): string => unsignedToken(60 + asked++)
      await withConnections(subject, subject.sasl, { sasl: { mechanism: 'OAUTHBEARER', token } }, async (api) => {
        await api.metadata(subject.sasl, [], SOON)
        await api.metadata(subject.sasl, [], { ...SOON, channel: 'another' })

        assert.ok(asked >= 2)
      })
    },
  },
  {
    name: 'say that a token was refused, and never which',
    async run(subject) {
      const { logger, text } = keepingLogger()
      const token = unsignedToken(-3_600)
      await withConnections(subject, subject.sasl, { logger, sasl: { mechanism: 'OAUTHBEARER', token } }, async (api) => {
        const error = await failureOf(api.metadata(subject.sasl, [], SOON))

        assert.deepEqual([error.code, error.retryable], ['ERR_MESSAGING_AUTHENTICATION', false], error.message)
        assertTellsNoSecret(error, text(), token)
      })
    },
  },
  {
    name: 'log in anew before their session ends, with requests under way',
    run: (subject) =>
      withConnections(subject, subject.sasl, { sasl: login(subject, 'SCRAM-SHA-512') }, async (api) => {
        const end = performance.now() + subject.sessionMs * 2.5
        let answered = 0
        const ask = async (): Promise<void> => {
          while (performance.now() < end || answered <= 10) {
            await api.metadata(subject.sasl, [`absent-${answered}`], SOON)
            answered++
          }
        }
        await Promise.all([ask(), ask(), ask()])

        assert.ok(answered > 10)
      }),
  },
  {
    name: 'say what may be missing when a listener wants to know who they are',
    run: (subject) =>
      withConnections(subject, subject.sasl, {}, async (api) => {
        const error = await failureOf(api.metadata(subject.sasl, [], SOON))

        assert.equal(error.code, 'ERR_MESSAGING_CONNECTION')
        assert.match(error.message, /a listener that wants TLS or SASL/)
      }),
  },
  {
    name: 'say that a listener does not ask who they are',
    run: (subject) =>
      withConnections(subject, subject.plain, { sasl: login(subject, 'SCRAM-SHA-256') }, async (api) => {
        await assert.rejects(api.metadata(subject.plain, [], SOON), refusal(/doesn't offer SASL SCRAM-SHA-256: use a mechanism that it offers, or leave sasl out/))
      }),
  },
  {
    name: 'say that a password would go unencrypted',
    async run(subject) {
      const { logger, text } = keepingLogger()
      await subject.create({ brokers: ['localhost:9092'], logger, sasl: login(subject, 'PLAIN') }).close()

      assert.match(text(), /sent unencrypted/)
      assertTellsNoSecret(undefined, text(), subject.user.password)
    },
  },
]

/** What every library's connections must do at listeners with TLS and SASL. */
export const securedContract: readonly SecuredCase[] = [...tlsCases, ...passwordCases, ...saslCases]
