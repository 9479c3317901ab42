import fc from 'fast-check'

// A mutant is found by any history that differs: the shortest one isn't looked for.
fc.configureGlobal({ ...fc.readConfigureGlobal(), endOnFailure: true })
