import type { ClusterMetadata, KafkaNode } from '../../kafka-api.ts'
import type { PartitionMetadata, TopicMetadata } from '../../topic-metadata.ts'
import type { KafkaCall } from '../kafka-call.ts'
import { kafkaUuidBytes } from '../kafka-uuid.ts'
import type { WireReader } from '../wire-reader.ts'

/** The cluster's nodes and topics. Version 12 has the topics' ids; unknown topics are never made by asking. */
export const metadataCall: KafkaCall<readonly string[] | null, ClusterMetadata> = {
  name: 'Metadata',
  apiKey: 3,
  apiVersion: 12,
  flexible: true,
  lane: 'control',
  write(writer, topics) {
    if (topics === null) writer.compactNull()
    else writer.compactArray(topics, (topic) => writer.uuid(NO_ID).compactString(topic).tags())
    const makeTopics = false
    const askForRights = false
    writer.boolean(makeTopics).boolean(askForRights).tags()
  },
  read(reader) {
    const nodes = reader.compactArray(() => readNode(reader))
    const clusterId = reader.compactNullableString()
    const controllerId = reader.int32()
    const topics = reader.compactArray(() => readTopic(reader))
    reader.tags()
    return { clusterId, controllerId, nodes, topics }
  },
}

const NO_ID = Buffer.from(kafkaUuidBytes('')).toString('base64url')

function readNode(reader: WireReader): KafkaNode {
  const node = { nodeId: reader.int32(), host: reader.compactString(), port: reader.int32() }
  reader.compactNullableString() // rack
  reader.tags()
  return node
}

function readTopic(reader: WireReader): TopicMetadata {
  const errorCode = reader.int16()
  const name = reader.compactNullableString() ?? ''
  const id = reader.uuid()
  const isInternal = reader.boolean()
  const partitions = reader.compactArray(() => readPartition(reader))
  reader.int32() // authorized operations
  reader.tags()
  return { name, id, errorCode, isInternal, partitions }
}

function readPartition(reader: WireReader): PartitionMetadata {
  const errorCode = reader.int16()
  const partition = reader.int32()
  const leader = reader.int32()
  const leaderEpoch = reader.int32()
  const replicas = reader.compactArray(() => reader.int32())
  const inSync = reader.compactArray(() => reader.int32())
  reader.compactArray(() => reader.int32()) // replicas that are offline
  reader.tags()
  return { partition, errorCode, leader, leaderEpoch, replicas, inSync }
}
