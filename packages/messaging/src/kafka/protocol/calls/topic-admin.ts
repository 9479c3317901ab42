import { brokerTimeoutMs, type KafkaCall } from '../kafka-call.ts'
import type { WireReader } from '../wire-reader.ts'

/** A topic to make. */
export interface CreateTopicInput {
  readonly topic: string
  readonly partitions: number
  readonly replication: number
  readonly configs: Readonly<Record<string, string>>
}

const TOPIC_RESOURCE = 2

/** Makes a topic. */
export const createTopicCall: KafkaCall<CreateTopicInput, { readonly errorCode: number; readonly errorMessage: string | null }> = {
  name: 'CreateTopics',
  apiKey: 19,
  apiVersion: 4,
  flexible: false,
  lane: 'control',
  write(writer, { topic, partitions, replication, configs }, options) {
    writer.array([topic], (name) => {
      writer.string(name).int32(partitions).int16(replication)
      writer.array([], () => {}) // replicas on chosen brokers
      writer.array(Object.entries(configs), ([key, value]) => writer.string(key).nullableString(value))
    })
    const onlyTry = false
    writer.int32(brokerTimeoutMs(options)).boolean(onlyTry)
  },
  read(reader, { topic }) {
    const answers = reader.array(() => ({ name: reader.string(), errorCode: reader.int16(), errorMessage: reader.nullableString() }))
    const found = answers.find(({ name }) => name === topic)
    if (found === undefined) throw reader.malformed(`doesn't name topic "${topic}"`)
    return { errorCode: found.errorCode, errorMessage: found.errorMessage }
  },
}

/** Removes a topic and everything in it. */
export const deleteTopicCall: KafkaCall<string, { readonly errorCode: number }> = {
  name: 'DeleteTopics',
  apiKey: 20,
  apiVersion: 3,
  flexible: false,
  lane: 'control',
  write(writer, topic, options) {
    writer.array([topic], (name) => writer.string(name)).int32(brokerTimeoutMs(options))
  },
  read(reader, topic) {
    const answers = reader.array(() => ({ name: reader.string(), errorCode: reader.int16() }))
    const found = answers.find(({ name }) => name === topic)
    if (found === undefined) throw reader.malformed(`doesn't name topic "${topic}"`)
    return { errorCode: found.errorCode }
  },
}

/** A topic's configuration, defaults included. */
export const describeTopicConfigCall: KafkaCall<string, { readonly errorCode: number; readonly configs: Readonly<Record<string, string>> }> = {
  name: 'DescribeConfigs',
  apiKey: 32,
  apiVersion: 1,
  flexible: false,
  lane: 'control',
  write(writer, topic) {
    const everyKey = -1
    const withSynonyms = false
    writer.array([topic], (name) => writer.int8(TOPIC_RESOURCE).string(name).int32(everyKey)).boolean(withSynonyms)
  },
  read(reader, topic) {
    const answers = reader.array(() => {
      const errorCode = reader.int16()
      reader.nullableString() // error message
      reader.int8() // kind of resource
      return { errorCode, name: reader.string(), entries: reader.array(() => readEntry(reader)) }
    })
    const found = answers.find(({ name }) => name === topic)
    if (found === undefined) throw reader.malformed(`doesn't name topic "${topic}"`)
    return { errorCode: found.errorCode, configs: Object.fromEntries(found.entries.filter((entry): entry is [string, string] => entry[1] !== null)) }
  },
}

function readEntry(reader: WireReader): [string, string | null] {
  const entry: [string, string | null] = [reader.string(), reader.nullableString()]
  reader.boolean() // read only
  reader.int8() // where the value comes from
  reader.boolean() // sensitive
  reader.array(() => {
    reader.string()
    reader.nullableString()
    return reader.int8()
  })
  return entry
}
