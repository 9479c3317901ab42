import { setFlagsFromString } from 'node:v8'

/*
 * Lets the heap grow by a fifth beyond what is alive before it is collected, and not to several times that, as V8 does on a machine with much
 * memory. A worker makes and drops rows all the time: what it needs is small, what V8 would keep for later is not.
 */
setFlagsFromString('--heap-growing-percent=20')
