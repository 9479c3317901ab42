import { tryShortForms } from './try-short-forms.ts'

tryShortForms({ part: 3, of: 3 })
