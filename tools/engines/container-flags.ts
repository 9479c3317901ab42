/** How the ingestor's image runs Node.js; see docker/Dockerfile. */
export const CONTAINER_ARGUMENTS = ['--max-semi-space-size=4'] as const

/** What the image tells the allocator; see docker/Dockerfile. */
export const CONTAINER_ENVIRONMENT = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' } as const
