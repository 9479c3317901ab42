#!/bin/sh
# A master, its replica and three Sentinels in one container: redis-sentinel.sh MASTER REPLICA SENTINEL SENTINEL SENTINEL
set -eu
folder=$(mktemp -d)
master=$1
replica=$2
shift 2
for port in "$master" "$replica"; do mkdir "$folder/$port"; done
redis-server --port "$master" --bind 0.0.0.0 --protected-mode no --dir "$folder/$master" --save '' --appendonly no --repl-diskless-sync-delay 0 &
redis-server --port "$replica" --bind 0.0.0.0 --protected-mode no --dir "$folder/$replica" --save '' --appendonly no --replicaof 127.0.0.1 "$master" &
# A Sentinel that is told of a master without replicas asks again after 10 seconds.
until redis-cli -p "$replica" info replication 2>/dev/null | grep -q master_link_status:up; do sleep 0.1; done
for port in "$@"; do
  mkdir "$folder/$port"
  printf '%s\n' "port $port" 'bind 0.0.0.0' 'protected-mode no' "dir $folder/$port" \
    "sentinel monitor mymaster 127.0.0.1 $master 2" 'sentinel down-after-milliseconds mymaster 1000' \
    'sentinel failover-timeout mymaster 3000' >"$folder/$port/sentinel.conf"
  redis-server "$folder/$port/sentinel.conf" --sentinel &
done
wait
