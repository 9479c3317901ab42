import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { kafkaError } from '../errors.ts'
import { orAborted } from '../kafka/or-aborted.ts'
import type { OutgoingRecord } from '../transport.ts'
import { KeptProducer } from './kept-producer.ts'
import { producerFenced, transactionAborted } from './transaction-errors.ts'
import type { TransactionKeeper } from './transaction-keeper.ts'

/** What a scripted broker does with one commit: carries it out or not, and answers, refuses, or never says a word. */
type CommitStep = 'answers' | 'carries out, never answers' | 'never hears of it' | 'aborted' | 'fenced'

/** A broker in a few lines, and what it was asked. */
class ScriptedKeeper implements TransactionKeeper {
  readonly asked: string[] = []
  /** What happens to the next commits; afterwards all are answered. */
  readonly script: CommitStep[] = []
  isUndecided = false
  isSendingStuck = false
  #isCommitted = false

  begin(): Promise<void> {
    this.asked.push('begin')
    this.#isCommitted = false
    return Promise.resolve()
  }

  async send(topic: string, _records: readonly OutgoingRecord[], signal: AbortSignal): Promise<void> {
    this.asked.push(`send ${topic}`)
    if (this.isSendingStuck) await orAborted(new Promise<void>(() => {}), signal, 'a scripted send')
  }

  checkOffset(): void {}

  async commit(_offsets: unknown, signal: AbortSignal): Promise<void> {
    const step = this.#isCommitted ? 'answers' : (this.script.shift() ?? 'answers')
    this.asked.push(`commit ${step}`)
    if (step === 'fenced') throw producerFenced('t')
    if (step === 'aborted') {
      this.isUndecided = false
      throw transactionAborted('t', 'the broker had ended it before')
    }
    if (step === 'never hears of it') throw kafkaError('ERR_MESSAGING_CONNECTION', 'away', { retryable: true })
    this.isUndecided = true
    if (step === 'carries out, never answers') {
      this.#isCommitted = true
      await orAborted(new Promise<void>(() => {}), signal, 'a scripted commit')
    }
    this.isUndecided = false
  }

  abort(): Promise<void> {
    this.asked.push('abort')
    return Promise.resolve()
  }

  close(): void {
    this.asked.push('close')
  }
}

function arrange(): { keeper: ScriptedKeeper; clock: FakeClock; producer: KeptProducer } {
  const [keeper, clock] = [new ScriptedKeeper(), new FakeClock()]
  return { keeper, clock, producer: new KeptProducer({ transactionalId: 't', keeper, transactionTimeoutMs: 10_000, clock, onClose: () => keeper.asked.push('closed') }) }
}

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error

describe('a commit without an answer', () => {
  it('is neither committed nor aborted until it is asked for again', async () => {
    const { keeper, clock, producer } = arrange()
    keeper.script.push('carries out, never answers')
    const transaction = await producer.begin()

    const unanswered = transaction.commit({ timeoutMs: 100 })
    unanswered.catch(() => {})
    await clock.advance(100)

    await expect(unanswered).rejects.toThrow(code('ERR_MESSAGING_TRANSACTION_UNKNOWN'))
    await expect(transaction.abort()).rejects.toThrow(code('ERR_MESSAGING_TRANSACTION_STATE'))
    await expect(transaction.send('t', [])).rejects.toThrow(code('ERR_MESSAGING_TRANSACTION_STATE'))
    expect(transaction.signal.aborted).toBe(false)
    await transaction.commit()
    expect(keeper.asked).toEqual(['begin', 'commit carries out, never answers', 'commit answers'])
  })

  it('is settled before the next transaction begins', async () => {
    const { keeper, clock, producer } = arrange()
    keeper.script.push('carries out, never answers')
    const unanswered = (await producer.begin()).commit({ timeoutMs: 100 })
    unanswered.catch(() => {})
    await clock.advance(100)
    await expect(unanswered).rejects.toThrow(code('ERR_MESSAGING_TRANSACTION_UNKNOWN'))

    await producer.begin()

    expect(keeper.asked).toEqual(['begin', 'commit carries out, never answers', 'commit answers', 'begin'])
  })

  it('that the broker never heard of is aborted: nothing of it can come later', async () => {
    const { keeper, producer } = arrange()
    keeper.script.push('never hears of it')
    const transaction = await producer.begin()

    await expect(transaction.commit()).rejects.toThrow(code('ERR_MESSAGING_TRANSACTION_ABORTED'))

    await producer.begin()
    expect(keeper.asked).toEqual(['begin', 'commit never hears of it', 'abort', 'begin'])
  })
})

describe('a transaction', () => {
  it('waits at its commit for sends that nobody awaited, and is aborted when one of them fails', async () => {
    const { keeper, clock, producer } = arrange()
    keeper.isSendingStuck = true
    const transaction = await producer.begin()
    const sending = transaction.send('t', [{ value: 'x' }], { timeoutMs: 50 })
    sending.catch(() => {})

    const committing = transaction.commit()
    committing.catch(() => {})
    await clock.advance(50)

    await expect(sending).rejects.toThrow(code('ERR_MESSAGING_TIMEOUT'))
    await expect(committing).rejects.toThrow(code('ERR_MESSAGING_TRANSACTION_ABORTED'))
    expect(keeper.asked).toEqual(['begin', 'send t', 'abort'])
  })

  it('is taken back when its time is up, and says so to whoever goes on with it', async () => {
    const { keeper, clock, producer } = arrange()
    const transaction = await producer.begin()

    await clock.advance(10_000)

    expect(transaction.signal.reason).toMatchObject({ code: 'ERR_MESSAGING_TRANSACTION_ABORTED' })
    await expect(transaction.commit()).rejects.toThrow(/open for longer than 10000 ms/)
    await transaction.abort()
    expect(keeper.asked).toEqual(['begin', 'abort'])
  })

  it('hears that its producer was succeeded, and nothing is asked of the broker any more but the end', async () => {
    const { keeper, producer } = arrange()
    keeper.script.push('fenced')

    await expect(producer.run((transaction) => transaction.send('t', [{ value: 'x' }]))).rejects.toThrow(code('ERR_MESSAGING_PRODUCER_FENCED'))

    expect(keeper.asked).toEqual(['begin', 'send t', 'commit fenced', 'abort'])
  })

  it('has no timer left when it has ended', async () => {
    const { clock, producer } = arrange()

    await producer.run(() => Promise.resolve())
    await (await producer.begin()).abort()
    await producer.close()

    expect(clock.pendingTimers).toBe(0)
  })
})

describe('a producer', () => {
  it('aborts what is open when it is closed, once', async () => {
    const { keeper, producer } = arrange()
    await producer.begin()

    await producer.close()
    await producer.close()

    expect(keeper.asked).toEqual(['begin', 'abort', 'close', 'closed'])
  })

  it("aborts with run() also when its caller's signal is why", async () => {
    const { keeper, producer } = arrange()
    const caller = new AbortController()

    const running = producer.run(async (transaction) => {
      caller.abort()
      await transaction.send('t', [{ value: 'x' }], { signal: caller.signal })
    }, { signal: caller.signal })

    await expect(running).rejects.toThrow(code('ERR_ABORTED'))
    expect(keeper.asked).toEqual(['begin', 'abort'])
  })
})
