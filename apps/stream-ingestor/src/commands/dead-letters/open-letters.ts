import { userInfo } from 'node:os'
import { ConfigurationError, silentLogger } from '@smart-whale/interfaces'
import type { MessagingTransport } from '@smart-whale/messaging'
import { type DeadLetter, deadLetterTopic, type FateOf, letterDecoder, type LetterDecoder, letterVersion, readDeadLetters, readFates, type VersionOfLetter } from '@smart-whale/messaging/dead-letters'
import { type CommandCall, createClosers } from '@smart-whale/app-process'
import { readConfig } from '../../config.ts'
import { openBroker } from '../../open-broker.ts'
import { readPipelinesFile } from '../../read-pipelines-file.ts'

/** What every command about dead letters works with. */
export interface OpenLetters {
  readonly transport: MessagingTransport
  readonly topic: string
  /** What the topic's pipeline would say to a letter today. */
  readonly decode: LetterDecoder
  /** Where events of the pipeline say their version. */
  readonly versionOf: VersionOfLetter
}

/** Opens the broker for the topic that the command line names, and closes it whatever happens. */
export async function withLetters<T>({ positionals, environment, signal }: CommandCall, work: (letters: OpenLetters) => Promise<T>): Promise<T> {
  const config = readConfig(environment)
  const definitions = await readPipelinesFile(config.pipelinesFile, config)
  const [topic] = positionals
  const definition = definitions.find((one) => one.topic === topic || one.name === topic)
  if (definition === undefined) {
    throw new ConfigurationError(`${topic === undefined ? 'which topic?' : `no pipeline reads a topic "${topic}".`} The pipelines file has ${definitions.map((one) => one.topic).join(', ')}`)
  }
  const closers = createClosers(silentLogger)
  try {
    const transport = await openBroker(config, closers, silentLogger, signal)
    return await work({ transport, topic: definition.topic, decode: letterDecoder(definition), versionOf: letterVersion(definition.versionFrom ?? undefined) })
  } finally {
    await closers.close()
  }
}

/** The letters of the topic with what became of them; none where nothing ever died. */
export async function openedLetters({ transport, topic, versionOf }: OpenLetters, signal: AbortSignal): Promise<{ readonly letters: AsyncIterable<DeadLetter>; readonly fateOf: FateOf }> {
  if ((await transport.topics.describe(deadLetterTopic(topic), { signal })) === null) return { letters: nothing(), fateOf: () => null }
  return { letters: readDeadLetters(transport, topic, { versionOf, signal }), fateOf: await readFates(transport, topic, { signal }) }
}

async function* nothing(): AsyncGenerator<DeadLetter> {
  // A topic whose pipeline never ran, or never met a bad record.
}

/** Who works here, for the journal. */
export function operator(values: CommandCall['values']): string {
  return (values.by as string | undefined) ?? userInfo().username
}
