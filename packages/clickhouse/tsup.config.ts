import { packageBuild } from '../../tools/build/tsup-preset.ts'

export default packageBuild({
  index: 'src/index.ts',
  embedded: 'src/embedded/index.ts',
  fastify: 'src/fastify/index.ts',
  graphql: 'src/graphql/index.ts',
  ingest: 'src/ingest.ts',
  s3: 'src/backup/s3-store.ts',
  testing: 'src/access/testing.ts',
  'embedded-child': 'src/embedded/embedded-child.ts',
  cli: 'src/cli/main.ts'
})
