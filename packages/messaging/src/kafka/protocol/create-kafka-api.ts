import { type Clock, systemClock } from '@smart-whale/interfaces'
import type { KafkaApi, KafkaConnections, KafkaRequestOptions, KafkaTarget } from '../kafka-api.ts'
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
import { ThrottleKeeper } from './heed-throttle.ts'
import { callKafka, type KafkaCall } from './kafka-call.ts'

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

/** Kafka's requests as typed calls over any connections; each leaves when its broker wants to be asked. */
export function createKafkaApi(connections: KafkaConnections, clock: Clock = systemClock): KafkaApi {
  const throttle = new ThrottleKeeper(clock)
  const ask = async <Input, Output>(call: KafkaCall<Input, Output>, target: KafkaTarget, input: Input, options: KafkaRequestOptions): Promise<Output> => {
    const { output } = await throttle.heeding({ ...call, target, options }, () => callKafka(connections, call, target, input, options))
    return output
  }
  return {
    metadata: (target, topics, options) => ask(metadataCall, target, topics, options),
    produce: (target, request, options) => ask(produceCall, target, request, options),
    initProducerId: (target, request, options) => ask(initProducerIdCall, target, request, options),
    addPartitionsToTransaction: (target, request, options) => ask(addPartitionsToTransactionCall, target, request, options),
    addOffsetsToTransaction: (target, request, options) => ask(addOffsetsToTransactionCall, target, request, options),
    transactionOffsetCommit: (target, request, options) => ask(transactionOffsetCommitCall, target, request, options),
    endTransaction: (target, request, options) => ask(endTransactionCall, target, request, options),
    fetch: (target, request, options) => ask(fetchCall, target, request, options),
    listOffsets: (target, request, options) => ask(listOffsetsCall, target, request, options),
    findCoordinator: (target, key, kind, options) => ask(findCoordinatorCall, target, { key, kind }, options),
    joinGroup: (target, request, options) => ask(joinGroupCall, target, request, options),
    syncGroup: (target, request, options) => ask(syncGroupCall, target, request, options),
    heartbeat: (target, right, options) => ask(heartbeatCall, target, right, options),
    leaveGroup: (target, right, options) => ask(leaveGroupCall, target, right, options),
    offsetCommit: (target, request, options) => ask(offsetCommitCall, target, request, options),
    offsetFetch: (target, request, options) => ask(offsetFetchCall, target, request, options),
    createTopic: (target, request, options) => ask(createTopicCall, target, request, options),
    deleteTopic: (target, topic, options) => ask(deleteTopicCall, target, topic, options),
    describeTopicConfig: (target, topic, options) => ask(describeTopicConfigCall, target, topic, options),
  }
}
