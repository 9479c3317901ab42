import { tryShortForms } from './try-short-forms.ts'

tryShortForms({ part: 1, of: 2 })
