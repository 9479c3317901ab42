/**
 * Loaded into a process before anything else (`node --import`): its time of day is off by what `WALL_CLOCK_OFF` says, milliseconds one after the
 * other, each for half a second, from the beginning again after the last. Durations and timers go on as ever, as when somebody sets a machine's clock.
 */
const JUMP_EVERY_MS = 500

const offsets = (process.env['WALL_CLOCK_OFF'] ?? '0').split(',').map(Number)
const RealDate = Date
const offNow = (): number => offsets[Math.floor(performance.now() / JUMP_EVERY_MS) % offsets.length] ?? 0
const now = (): number => RealDate.now() + offNow()

globalThis.Date = new Proxy(RealDate, {
  get: (target, key, receiver) => (key === 'now' ? now : (Reflect.get(target, key, receiver) as unknown)),
  apply: () => new RealDate(now()).toString(),
  construct: (target, given: unknown[], newTarget) => Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget) as Date,
})
