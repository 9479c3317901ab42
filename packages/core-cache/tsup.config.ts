import { packageBuild } from '../../tools/build/tsup-preset.ts'

export default packageBuild({
  index: 'src/index.ts',
  redis: 'src/redis/index.ts',
  testing: 'src/testing/index.ts',
})
