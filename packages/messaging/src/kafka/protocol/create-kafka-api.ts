import type { KafkaApi, KafkaConnections } from '../kafka-api.ts'
import { fetchCall } from './calls/fetch.ts'
import { findCoordinatorCall } from './calls/find-coordinator.ts'
import { heartbeatCall, joinGroupCall, leaveGroupCall, syncGroupCall } from './calls/group-membership.ts'
import { offsetCommitCall, offsetFetchCall } from './calls/group-offsets.ts'
import { initProducerIdCall } from './calls/init-producer-id.ts'
import { listOffsetsCall } from './calls/list-offsets.ts'
import { metadataCall } from './calls/metadata.ts'
import { produceCall } from './calls/produce.ts'
import { createTopicCall, deleteTopicCall, describeTopicConfigCall } from './calls/topic-admin.ts'
import { addOffsetsToTransactionCall, addPartitionsToTransactionCall, endTransactionCall, transactionOffsetCommitCall } from './calls/transactions.ts'
import { callKafka } from './kafka-call.ts'

/** Kafka's requests, each in a version that every broker from 3.1 to 4.3 speaks. */
export const KAFKA_CALLS = [
  produceCall,
  fetchCall,
  listOffsetsCall,
  metadataCall,
  offsetCommitCall,
  offsetFetchCall,
  findCoordinatorCall,
  joinGroupCall,
  heartbeatCall,
  leaveGroupCall,
  syncGroupCall,
  createTopicCall,
  deleteTopicCall,
  initProducerIdCall,
  addPartitionsToTransactionCall,
  addOffsetsToTransactionCall,
  transactionOffsetCommitCall,
  endTransactionCall,
  describeTopicConfigCall,
] as const

/** Kafka's requests as typed calls over any connections. */
export function createKafkaApi(connections: KafkaConnections): KafkaApi {
  return {
    metadata: (target, topics, options) => callKafka(connections, metadataCall, target, topics, options),
    produce: (target, request, options) => callKafka(connections, produceCall, target, request, options),
    initProducerId: (target, request, options) => callKafka(connections, initProducerIdCall, target, request, options),
    addPartitionsToTransaction: (target, request, options) => callKafka(connections, addPartitionsToTransactionCall, target, request, options),
    addOffsetsToTransaction: (target, request, options) => callKafka(connections, addOffsetsToTransactionCall, target, request, options),
    transactionOffsetCommit: (target, request, options) => callKafka(connections, transactionOffsetCommitCall, target, request, options),
    endTransaction: (target, request, options) => callKafka(connections, endTransactionCall, target, request, options),
    fetch: (target, request, options) => callKafka(connections, fetchCall, target, request, options),
    listOffsets: (target, request, options) => callKafka(connections, listOffsetsCall, target, request, options),
    findCoordinator: (target, key, kind, options) => callKafka(connections, findCoordinatorCall, target, { key, kind }, options),
    joinGroup: (target, request, options) => callKafka(connections, joinGroupCall, target, request, options),
    syncGroup: (target, request, options) => callKafka(connections, syncGroupCall, target, request, options),
    heartbeat: (target, right, options) => callKafka(connections, heartbeatCall, target, right, options),
    leaveGroup: (target, right, options) => callKafka(connections, leaveGroupCall, target, right, options),
    offsetCommit: (target, request, options) => callKafka(connections, offsetCommitCall, target, request, options),
    offsetFetch: (target, request, options) => callKafka(connections, offsetFetchCall, target, request, options),
    createTopic: (target, request, options) => callKafka(connections, createTopicCall, target, request, options),
    deleteTopic: (target, topic, options) => callKafka(connections, deleteTopicCall, target, topic, options),
    describeTopicConfig: (target, topic, options) => callKafka(connections, describeTopicConfigCall, target, topic, options),
  }
}
