import { tryShortForms } from './try-short-forms.ts'

tryShortForms({ part: 2, of: 2 })
