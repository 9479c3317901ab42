// What shows on one's own servers that tenants stay apart
export { type AbuseCase, type AbuseCategory } from './abuse-cases/abuse-case.ts'
export { ABUSE_CASES } from './abuse-cases/index.ts'
export { hostileText, HOSTILE_TEXTS } from './abuse-cases/hostile-texts.ts'
export { type AbuseAnswer, type AbuseColumns, type AbuseFinding, type AbusePlaces, type AbuseSuiteOptions, runAbuseSuite } from './run-abuse-suite.ts'
export { type AskAsTenant, checkIsolation, type IsolatedTable, type IsolationFinding, type IsolationOptions, type IsolationReport } from './check-isolation.ts'
export { type InjectionOutcome, probeNames, probeTableName, probeValues } from './injection-probes.ts'
