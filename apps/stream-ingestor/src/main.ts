#!/usr/bin/env -S node --conditions=@smart-whale/source --max-semi-space-size=4
import './bounded-heap.ts'
import { stopSignal } from '@smart-whale/app-process/stop-signal'

// Before anything else is loaded: a stop in the first second is a stop as well, and not a crash.
const stop = stopSignal()
const { runCommandLine } = await import('./run-command-line.ts')
process.exitCode = await runCommandLine(process.argv.slice(2), stop.signal)
stop.dispose()
