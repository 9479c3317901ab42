/**
 * KEYS: version, and for what changes a key, value and mark of a move. ARGV: the asker's version …
 * Where a newer version is known, nothing is done. Who knows a newer one than the server teaches it: a server that came back empty would believe anybody.
 */
const GUARD = `
local known = tonumber(redis.call('GET', KEYS[1]) or '0')
if known > tonumber(ARGV[1]) then return { known, 0 } end
if known < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
local function put(payload, life)
  if life == '0' then redis.call('SET', KEYS[2], payload) else redis.call('SET', KEYS[2], payload, 'PX', life) end
  redis.call('DEL', KEYS[3])
end`

/** ARGV: version, payload, life. */
const SET = `${GUARD}
put(ARGV[2], ARGV[3])
return { known, 1 }`

/** ARGV: version. */
const DELETE = `${GUARD}
redis.call('DEL', KEYS[3])
return { known, redis.call('DEL', KEYS[2]) }`

/** ARGV: version, token, life of the mark. */
const BEGIN_MOVE = `${GUARD}
if redis.call('EXISTS', KEYS[2]) == 1 then return { known, 0 } end
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
return { known, 1 }`

/** ARGV: version, token, payload, life. */
const FINISH_MOVE = `${GUARD}
if redis.call('GET', KEYS[3]) ~= ARGV[2] then return { known, 0 } end
put(ARGV[3], ARGV[4])
return { known, 1 }`

/** KEYS: version, value. */
const LOOK = `return { tonumber(redis.call('GET', KEYS[1]) or '0'), redis.call('EXISTS', KEYS[2]), redis.call('PTTL', KEYS[2]) }`

/** KEYS: version, topology. ARGV: version, mark, topology, the version that it comes after if that is to be checked. Answers the newest topology. */
const TELL = `
local version, mark = unpack(redis.call('HMGET', KEYS[2], 'version', 'mark'))
version, mark = tonumber(version or '0'), tonumber(mark or '-1')
local told, toldMark = tonumber(ARGV[1]), tonumber(ARGV[2])
if (told > version or (told == version and toldMark > mark)) and (ARGV[4] == '' or tonumber(ARGV[4]) == version) then
  redis.call('HSET', KEYS[2], 'version', ARGV[1], 'mark', ARGV[2], 'topology', ARGV[3])
  if told > tonumber(redis.call('GET', KEYS[1]) or '0') then redis.call('SET', KEYS[1], ARGV[1]) end
end
return redis.call('HGET', KEYS[2], 'topology')`

/** Each is one atomic step at one server of a distribution. */
export const SHARD_SCRIPTS = {
  swShardSet: { keys: 3, lua: SET },
  swShardDelete: { keys: 3, lua: DELETE },
  swShardBeginMove: { keys: 3, lua: BEGIN_MOVE },
  swShardFinishMove: { keys: 3, lua: FINISH_MOVE },
  swShardLook: { keys: 2, lua: LOOK },
  swShardTell: { keys: 2, lua: TELL },
} as const
