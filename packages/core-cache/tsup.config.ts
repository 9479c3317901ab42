import { packageBuild } from '../../tools/build/tsup-preset.ts'

export default packageBuild({
  index: 'src/index.ts',
  redis: 'src/redis/index.ts',
  sqlite: 'src/l3/sqlite/index.ts',
  'file-worker': 'src/l3/sqlite/file-worker.ts',
  testing: 'src/testing/index.ts',
})
