export { createIngestor, type Ingestor, type IngestorOptions, type IngestorStatus } from './create-ingestor.ts'
export { readPipelinesFile } from './read-pipelines-file.ts'
