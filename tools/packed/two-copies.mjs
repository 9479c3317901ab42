// Run inside a consumer: makes errors with one copy of the contracts and shows them to another.
// usage: node two-copies.mjs <folder of the second copy>
import { createRequire } from 'node:module'
import { join } from 'node:path'

const first = await import('@smart-whale/interfaces')
const second = createRequire(join(process.argv[2], 'anchor.cjs'))('@smart-whale/interfaces')
const problems = []
let guards = 0

for (const [name, here] of Object.entries(first)) {
  if (typeof here !== 'function' || typeof here.isInstance !== 'function') continue
  guards += 1
  const there = second[name]
  if (here === there) problems.push(`${name}: both copies are the same class, so this shows nothing`)
  for (const [maker, judge] of [
    [here, there],
    [there, here],
  ]) {
    const error = new maker('made by one copy', {})
    if (error instanceof judge) problems.push(`${name}: instanceof works across the copies, so this shows nothing`)
    if (!judge.isInstance(error)) problems.push(`${name}: the other copy does not recognise it`)
    const isOfTheFamily = [first, second].every((copy) => copy.InfrastructureError.isInstance(error))
    if (!isOfTheFamily) problems.push(`${name}: is not recognised as an InfrastructureError`)
  }
  if (here.isInstance(new Error('foreign')) || here.isInstance(undefined)) problems.push(`${name}: recognises what it did not make`)
}
if (guards === 0) problems.push('no error class with isInstance was found')
process.stdout.write(problems.join('\n'))
process.exitCode = problems.length === 0 ? 0 : 1
