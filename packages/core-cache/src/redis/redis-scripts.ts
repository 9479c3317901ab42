import { SHARD_SCRIPTS } from './shard-scripts.ts'

/**
 * Reads what is known; the rest of the script finds the run in `run` and its newest invalidation in `newest`. Runs are named in their order, also over a server
 * that has forgotten the last ones: milliseconds, and a token. A hash that another server wrote into last came here by a failover or from a file, and may lack
 * what was acknowledged: `isHome` is false. ARGV[2] is whether that matters.
 */
const READ_RUN = `
local run, home = unpack(redis.call('HMGET', KEYS[1], 'run', 'home'))
local newest = tonumber(redis.call('HGET', KEYS[1], 'newest') or '0')
local server = ARGV[2] == '1' and string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
local isHome = run and (server == '' or home == server)
local function timeOf(name) return tonumber(string.sub(name or '', 1, 14)) or 0 end
local function markOf(number) return string.match(redis.call('HGET', KEYS[1], 'l:' .. number) or '', '^%S+ %S+ (%S+)') or '' end
local function begin(nodes, since, known)
  local time = redis.call('TIME')
  local atMs = math.max(time[1] * 1000 + math.floor(time[2] / 1000), timeOf(run) + 1, timeOf(known) + 1)
  local renewals = redis.call('HGET', KEYS[1], 'renewals') or 0
  redis.call('DEL', KEYS[1])
  run = string.format('%014.0f-', atMs) .. ARGV[1]
  newest = 0
  redis.call('HSET', KEYS[1], 'run', run, 'home', server, 'newest', 0, 'renewals', renewals, 'since', since or time[1])
  for _, node in pairs(nodes) do node[1] = -1 end
  redis.call('HSET', KEYS[1], 'nodes', cmsgpack.pack(nodes))
end
local function readNodes()
  local packed = redis.call('HGET', KEYS[1], 'nodes')
  return packed and cmsgpack.unpack(packed) or {}
end`

/** Coordination is small, and has to go on when Redis is full. */
const ALLOW_FULL = '#!lua flags=allow-oom\n'

/**
 * ARGV: token, whether servers are told apart, channel, node, run that it knows, followed, mark of that, most that a newcomer is told, nodes to tell …
 *
 * A node that knows a newer run, a higher number, or another invalidation of its number has followed what this server has lost: everything is begun anew.
 */
const RENEW = `${ALLOW_FULL}${READ_RUN}
local node, known, followed, mark = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
local lost = false
if run == known then
  local there = followed > 0 and followed <= newest and markOf(followed) or ''
  lost = followed > newest or (there ~= '' and mark ~= '' and there ~= mark)
elseif run then
  lost = timeOf(known) >= timeOf(run)
end
if lost or not isHome then begin({}, nil, known) end
local same = run == known and (followed == newest or redis.call('HEXISTS', KEYS[1], 'l:' .. (followed + 1)) == 1)
local nodes = readNodes()
nodes[node] = { same and followed or -1, redis.call('HINCRBY', KEYS[1], 'renewals', 1) }
redis.call('HSET', KEYS[1], 'nodes', cmsgpack.pack(nodes))
if same then
  for at = 9, #ARGV do redis.call('PUBLISH', ARGV[3] .. ARGV[at], node .. ' ' .. run .. ' ' .. followed) end
end
local told = {}
for number = same and followed + 1 or math.max(1, newest - tonumber(ARGV[8]) + 1), newest do told[#told + 1] = redis.call('HGET', KEYS[1], 'l:' .. number) end
return { run, newest, markOf(newest), same and 1 or 0, told }`

/** ARGV: token, whether servers are told apart, channel, node, payload, whether everything, most logged, most fields, seconds that a run is young, tags … */
const RECORD = `${ALLOW_FULL}${READ_RUN}
if not isHome then begin({}) end
if ARGV[6] == '1' or redis.call('HLEN', KEYS[1]) > tonumber(ARGV[8]) then begin(readNodes(), redis.call('HGET', KEYS[1], 'since')) end
local number = redis.call('HINCRBY', KEYS[1], 'newest', 1)
local message = run .. ' ' .. number .. ' ' .. ARGV[1] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5]
redis.call('HSET', KEYS[1], 'l:' .. number, message)
redis.call('HDEL', KEYS[1], 'l:' .. (number - tonumber(ARGV[7])))
for at = 10, #ARGV do redis.call('HSET', KEYS[1], 't:' .. ARGV[at], number) end
redis.call('PUBLISH', ARGV[3], message)
local nodes = {}
for node, facts in pairs(readNodes()) do
  nodes[#nodes + 1] = node
  nodes[#nodes + 1] = facts[1]
  nodes[#nodes + 1] = facts[2]
end
local age = tonumber(redis.call('TIME')[1]) - tonumber(redis.call('HGET', KEYS[1], 'since'))
return { run, number, age <= tonumber(ARGV[9]) and 1 or 0, nodes }`

/** ARGV: run, then node and its last renewal … No number of a renewal comes twice in a run: a node that was struck off and is back is not taken for the one that was away. */
const STRIKE = `${ALLOW_FULL}
if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then return 0 end
local packed = redis.call('HGET', KEYS[1], 'nodes')
if not packed then return 0 end
local nodes = cmsgpack.unpack(packed)
for at = 2, #ARGV, 2 do
  if nodes[ARGV[at]] and nodes[ARGV[at]][2] == tonumber(ARGV[at + 1]) then nodes[ARGV[at]] = nil end
end
redis.call('HSET', KEYS[1], 'nodes', cmsgpack.pack(nodes))
return 1`

/** KEYS: value, token, mark that somebody waits. ARGV: token, life, unusable, waited for, first and last byte of a payload's token. */
const CLAIM = `${ALLOW_FULL}
local there = redis.call('GETRANGE', KEYS[1], ARGV[5], ARGV[6])
if there ~= '' and there ~= ARGV[3] then return { 'value', redis.call('GET', KEYS[1]) } end
local held = redis.call('GET', KEYS[2])
if held and string.sub(held, 1, 1) == 'T' then
  local left = math.max(1, redis.call('PTTL', KEYS[2]))
  redis.call('SET', KEYS[3], 1, 'PX', left)
  return { 'busy', string.sub(held, 2), left }
end
if held and string.sub(held, 2, 1 + #ARGV[4]) == ARGV[4] and ARGV[4] ~= '' then return { 'failed', ARGV[4], string.sub(held, 2 + #ARGV[4]) } end
redis.call('SET', KEYS[2], 'T' .. ARGV[1], 'PX', ARGV[2])
return { 'granted' }`

/** ARGV: token, life. */
const PROLONG = `${ALLOW_FULL}
if redis.call('GET', KEYS[1]) ~= 'T' .. ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`

/** KEYS as for a claim. ARGV: token, payload, life, channel, key. Fails when Redis is full, as it should. */
const FILL = `
if redis.call('GET', KEYS[2]) ~= 'T' .. ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
if redis.call('DEL', KEYS[3]) == 1 then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 1`

/** KEYS as for a claim. ARGV: token, failure or nothing, life of the failure, channel, key. */
const GIVE_UP = `${ALLOW_FULL}
if redis.call('GET', KEYS[2]) ~= 'T' .. ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[2]) else redis.call('SET', KEYS[2], 'F' .. ARGV[1] .. ARGV[2], 'PX', ARGV[3]) end
if redis.call('DEL', KEYS[3]) == 1 then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 1`

/** A lock with a number that only grows, also over an empty restart. KEYS: lock, last number. ARGV: holder, life. */
const LOCK = `${ALLOW_FULL}
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local time = redis.call('TIME')
local number = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, time[1] * 1000000 + time[2])
local text = string.format('%.0f', number)
redis.call('SET', KEYS[2], text)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return text`

/** ARGV: holder, life; 0 to release. */
const KEEP_LOCK = `${ALLOW_FULL}
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`

/** Each is one atomic step; by the name that it gets on the client. */
export const REDIS_SCRIPTS = {
  swCacheRenew: { keys: 1, lua: RENEW },
  swCacheRecord: { keys: 1, lua: RECORD },
  swCacheStrike: { keys: 1, lua: STRIKE },
  swCacheClaim: { keys: 3, lua: CLAIM },
  swCacheProlong: { keys: 1, lua: PROLONG },
  swCacheFill: { keys: 3, lua: FILL },
  swCacheGiveUp: { keys: 3, lua: GIVE_UP },
  swCacheLock: { keys: 2, lua: LOCK },
  swCacheKeepLock: { keys: 1, lua: KEEP_LOCK },
  ...SHARD_SCRIPTS,
} as const

/** Name of a script. */
export type RedisScript = keyof typeof REDIS_SCRIPTS
