#!/bin/sh
# Three masters that share the slots, in one container: redis-cluster.sh PORT PORT PORT
set -eu
folder=$(mktemp -d)
# Where the members talk to each other; nobody else comes there.
bus=${BUS_PORT:-17001}
members=
for port in "$@"; do
  mkdir "$folder/$port"
  redis-server --port "$port" --bind 0.0.0.0 --protected-mode no --dir "$folder/$port" --save '' --appendonly no \
    --cluster-enabled yes --cluster-port "$bus" --cluster-node-timeout 2000 --cluster-announce-ip 127.0.0.1 &
  bus=$((bus + 1))
  members="$members 127.0.0.1:$port"
done
for port in "$@"; do until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.1; done; done
# shellcheck disable=SC2086 # one word a member
redis-cli --cluster create $members --cluster-yes
wait
