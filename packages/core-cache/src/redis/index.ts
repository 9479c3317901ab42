// The layer that processes share
export { createRedisLayer, type RedisLayerOptions } from './redis-layer.ts'
export type { RedisAddress, RedisConfig } from './redis-config.ts'
