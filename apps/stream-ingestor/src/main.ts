#!/usr/bin/env -S node --conditions=@smart-whale/source --max-semi-space-size=8
import './bounded-heap.ts'
import { stopSignal } from '@smart-whale/app-process/stop-signal'

// Before anything else is loaded: a stop in the first second is a stop as well, and not a crash.
const stop = stopSignal()
const { runCommands } = await import('@smart-whale/app-process')
const { CLI } = await import('./cli.ts')
process.exitCode = await runCommands(CLI, process.argv.slice(2), stop.signal)
stop.dispose()
