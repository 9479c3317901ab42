/** The consumer group whose members share the partitions of a pipeline. */
export const pipelineGroup = (pipeline: string): string => `smart-whale-${pipeline}`
