import { packageBuild } from '../../tools/build/tsup-preset.ts'

export default packageBuild({
  index: 'src/index.ts',
  memory: 'src/memory/index.ts',
  pipeline: 'src/pipeline/index.ts',
  'dead-letters': 'src/dead-letters/index.ts',
  fastify: 'src/fastify/index.ts',
  kafkajs: 'src/kafkajs/index.ts',
  platformatic: 'src/platformatic/index.ts',
})
