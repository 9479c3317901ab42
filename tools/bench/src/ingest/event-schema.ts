import { z } from 'zod'

/** The events as zod knows them: what the contenders of other libraries check. */
export const eventSchema = z.object({
  id: z.uuid(),
  time: z.iso.datetime(),
  tenant: z.string(),
  user_id: z.int(),
  session_id: z.uuid(),
  path: z.string(),
  agent: z.string(),
  referrer: z.string().nullable(),
  status: z.int32(),
  duration_ms: z.number(),
  amount: z.string().regex(/^-?\d{1,10}(\.\d{1,2})?$/),
  bot: z.boolean(),
  tags: z.array(z.string()),
})

/** An event that was checked. */
export type IngestEvent = z.infer<typeof eventSchema>
