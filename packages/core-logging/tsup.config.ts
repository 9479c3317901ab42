import { packageBuild } from '../../tools/build/tsup-preset.ts'

export default packageBuild({
  index: 'src/index.ts'
})
