import { setFlagsFromString } from 'node:v8'

/*
 * Lets the heap grow to twice what is alive before it is collected, and not to several times that, as V8 does on a machine with much memory. A
 * worker makes and drops rows all the time: what it needs is small, what V8 would keep for later is not. Less growth keeps no less, since the
 * worker's memory is that of its slices, and collects more often. The young generation is the other half of it, 128 MB unless the process is
 * started with `--max-semi-space-size=4`.
 */
setFlagsFromString('--heap-growing-percent=100')

/*
 * Leaves the parser of HTTP answers, which is WebAssembly, as it was first compiled. To optimize it takes 24 MB for a moment, of which the allocator
 * keeps most, and gains nothing here: a store's answers to a worker are short.
 */
for (const flag of ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering']) setFlagsFromString(flag)
