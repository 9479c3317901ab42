export { type BearerGuardOptions, createBearerGuard, type Guard } from './bearer-guard.ts'
