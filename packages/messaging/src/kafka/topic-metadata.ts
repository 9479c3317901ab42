/** A partition as the cluster's metadata has it. */
export interface PartitionMetadata {
  readonly partition: number
  readonly errorCode: number
  /** Node id of the leader; -1 while there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
}

/** A topic as the cluster's metadata has it. */
export interface TopicMetadata {
  readonly name: string
  /** A UUID; a topic that was deleted and made again under the same name has another. */
  readonly id: string
  readonly errorCode: number
  readonly isInternal: boolean
  readonly partitions: readonly PartitionMetadata[]
}
