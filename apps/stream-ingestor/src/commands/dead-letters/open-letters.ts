import { userInfo } from 'node:os'
import { ConfigurationError, silentLogger } from '@smart-whale/interfaces'
import type { DeadLetterSelection, MessagingTransport } from '@smart-whale/messaging'
import { type EventDecoder, eventDecoder } from '@smart-whale/messaging/pipeline'
import type { CommandCall } from '@smart-whale/app-process'
import { readConfig } from '../../config.ts'
import { createTransport } from '../../open-broker.ts'
import { readPipelinesFile } from '../../read-pipelines-file.ts'

/** What every command about dead letters works with. */
export interface OpenLetters {
  readonly transport: MessagingTransport
  readonly topic: string
  /** How the topic's pipeline reads a value. */
  readonly decode: EventDecoder
}

/** Opens the broker for the topic that the command line names, and closes it whatever happens. */
export async function withLetters<T>({ positionals, signal }: CommandCall, work: (letters: OpenLetters) => Promise<T>): Promise<T> {
  const config = readConfig()
  const definitions = await readPipelinesFile(config.pipelinesFile)
  const [topic] = positionals
  const definition = definitions.find((one) => one.topic === topic || one.name === topic)
  if (definition === undefined) {
    throw new ConfigurationError(`${topic === undefined ? 'which topic?' : `no pipeline reads a topic "${topic}"`}; there are ${definitions.map((one) => one.topic).join(', ')}`)
  }
  const transport = createTransport(config, silentLogger)
  await transport.start({ signal })
  try {
    return await work({ transport, topic: definition.topic, decode: eventDecoder(definition) })
  } finally {
    await transport.stop()
  }
}

/** The options by which letters are chosen. */
export const SELECTION_OPTIONS = {
  code: { type: 'string', multiple: true },
  reason: { type: 'string' },
  'schema-version': { type: 'string', multiple: true },
  at: { type: 'string', multiple: true },
  since: { type: 'string' },
  until: { type: 'string' },
} as const

/** What `--help` tells of them. */
export const SELECTION_HELP = `Which letters:
  --code CODE              of this reason; may be given again
  --reason TEXT            whose reason holds this text
  --schema-version V       of this version; "none" for those that name none
  --at PARTITION-OFFSET    at this place of the dead letters; may be given again
  --since, --until TIME    that died in this span; ISO 8601`

/** Reads them. @throws ConfigurationError naming the one that is wrong */
export function selectionOf(values: CommandCall['values']): DeadLetterSelection {
  return {
    codes: listOf(values.code),
    reasonContains: values.reason as string | undefined,
    schemaVersions: listOf(values['schema-version'])?.map((version) => (version === 'none' ? null : version)),
    positions: listOf(values.at)?.map(placeFrom),
    since: timeFrom('since', values.since as string | undefined),
    until: timeFrom('until', values.until as string | undefined),
  }
}

const listOf = (value: CommandCall['values'][string]): string[] | undefined => value as string[] | undefined

function placeFrom(text: string): { partition: number; offset: bigint } {
  const [, partition, offset] = /^(\d{1,9})-(\d{1,18})$/.exec(text) ?? []
  if (partition === undefined || offset === undefined) throw new ConfigurationError(`--at ${text} is no place; it is partition and offset, like 0-17`)
  return { partition: Number(partition), offset: BigInt(offset) }
}

function timeFrom(option: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) throw new ConfigurationError(`--${option} ${text} is no time; write it as 2026-01-31T12:00:00Z`)
  return time
}

/** Who works here, for the journal. */
export function operator(values: CommandCall['values']): string {
  return (values.by as string | undefined) ?? userInfo().username
}
