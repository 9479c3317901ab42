import { type HealthStatus, silentLogger, systemClock } from '@smart-whale/interfaces'
import { requireAtLeast, wrongInput } from './errors.ts'
import type { HealthOptions } from './options.ts'
import { createProbeRunner, type DependencyReport } from './run-probe.ts'

/** Where the service is in its life; it is ready only while `running`. */
export type HealthPhase = 'starting' | 'running' | 'stopping'

/** Whether the process itself works, whatever its dependencies do. */
export interface Liveness {
  readonly status: 'up'
  readonly uptimeSeconds: number
}

/** Whether the service may be sent requests. */
export interface Readiness {
  readonly ready: boolean
  readonly phase: HealthPhase
  readonly status: HealthStatus
}

/** The whole picture. */
export interface HealthReport extends Readiness {
  readonly uptimeSeconds: number
  readonly dependencies: readonly DependencyReport[]
}

/** Answers how the service is. */
export interface Health {
  /** Asks nobody: a process that can answer is alive. Restart it when this fails, and only then. */
  live(): Liveness
  /** Asks the critical dependencies. Send no requests while it is not ready. */
  ready(): Promise<Readiness>
  /** Asks all dependencies. */
  report(): Promise<HealthReport>
  /** The service has started: from now on its dependencies decide whether it is ready. */
  markStarted(): void
  /** The service stops: it is not ready any more, whatever its dependencies say, so that no new requests come while the old ones end. */
  markStopping(): void
  /** Ends running probes and leaves no timer. */
  close(): void
}

/**
 * Makes the health of a service from probes of its dependencies.
 * Probes run side by side, each with a deadline; one that throws or hangs is `down`. A critical dependency that is down makes the
 * service `down`; anything else amiss makes it `degraded`, and it still serves.
 *
 * @throws ValidationError `ERR_MONITORING_OPTIONS`
 */
export function createHealth(options: HealthOptions): Health {
  const { probes, timeoutMs = 2000, cacheMs = 1000, awaitStart = false, clock = systemClock, logger = silentLogger } = options
  requireAtLeast('timeoutMs', timeoutMs, 1)
  requireAtLeast('cacheMs', cacheMs, 0)
  requireProbes(probes)
  const runners = probes.map((probe) => createProbeRunner(probe, { timeoutMs, cacheMs, clock, logger }))
  const startedAt = clock.monotonic()
  let phase: HealthPhase = awaitStart ? 'starting' : 'running'

  const uptimeSeconds = (): number => Math.floor((clock.monotonic() - startedAt) / 1000)
  const judge = (dependencies: readonly DependencyReport[]): Readiness => {
    const status = overallStatus(dependencies)
    return { ready: phase === 'running' && status !== 'down', phase, status }
  }

  return {
    live: () => ({ status: 'up', uptimeSeconds: uptimeSeconds() }),
    async ready() {
      // Nobody needs to be asked when the answer is no anyway.
      if (phase !== 'running') return { ready: false, phase, status: 'down' }
      return judge(await Promise.all(runners.filter(({ critical }) => critical).map((runner) => runner.check())))
    },
    async report() {
      const dependencies = await Promise.all(runners.map((runner) => runner.check()))
      return { ...judge(dependencies), uptimeSeconds: uptimeSeconds(), dependencies }
    },
    markStarted: () => {
      if (phase === 'starting') phase = 'running'
    },
    markStopping: () => {
      phase = 'stopping'
    },
    close: () => {
      for (const runner of runners) runner.close()
    },
  }
}

function overallStatus(dependencies: readonly DependencyReport[]): HealthStatus {
  if (dependencies.some(({ critical, status }) => critical && status === 'down')) return 'down'
  return dependencies.every(({ status }) => status === 'up') ? 'up' : 'degraded'
}

function requireProbes(probes: HealthOptions['probes']): void {
  if (!Array.isArray(probes)) throw wrongInput('probes', 'must be a list of health probes')
  const names = probes.map(({ name }) => name)
  names.forEach((name, index) => {
    if (typeof name !== 'string' || name === '') throw wrongInput(`probes.${index}.name`, 'must be text that is not empty')
    if (names.indexOf(name) !== index) throw wrongInput(`probes.${index}.name`, `"${name}" is there twice`)
  })
}
