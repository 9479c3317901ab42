// A layer that survives a restart, in an SQLite file
export { createFileLayer, FileLayer, type FileLayerOptions } from './file-layer.ts'
