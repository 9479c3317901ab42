/** Name that the Sentinels know the master by. */
export const SENTINEL_MASTER = 'mymaster'
