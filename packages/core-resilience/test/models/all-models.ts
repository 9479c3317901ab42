import { adaptiveLimiterModel } from './adaptive-limiter-model.ts'
import { balancerModel } from './balancer-model.ts'
import { breakerModel } from './breaker-model.ts'
import { bulkheadModel } from './bulkhead-model.ts'
import { composeModel } from './compose-model.ts'
import { degradationModel } from './degradation-model.ts'
import { fallbackModel } from './fallback-model.ts'
import { hedgeModel } from './hedge-model.ts'
import type { PolicyModel } from './policy-model.ts'
import { rateLimiterModel } from './rate-limiter-model.ts'
import { sharedBreakerModel } from './shared-breaker-model.ts'
import { timerWheelModel } from './timer-wheel-model.ts'

/** Every policy that keeps state, beside its model. */
export const ALL_MODELS: readonly PolicyModel[] = [
  timerWheelModel,
  composeModel,
  breakerModel,
  sharedBreakerModel,
  bulkheadModel,
  rateLimiterModel,
  adaptiveLimiterModel,
  hedgeModel,
  fallbackModel,
  degradationModel,
  balancerModel,
]
