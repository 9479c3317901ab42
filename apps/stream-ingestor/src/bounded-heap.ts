import { setFlagsFromString } from 'node:v8'

/*
 * Lets the heap grow by half of what is alive before it is collected, and not to several times that, as V8 does on a machine with much
 * memory. A worker makes and drops rows all the time: what it needs is small, what V8 would keep for later is not. With a young generation of
 * 8 MB, which a process can only be started with (`--max-semi-space-size=8`), a fifth would keep no less, and collect twice as often.
 */
setFlagsFromString('--heap-growing-percent=50')
