# bench: handshake-full handshake-resumed
# TLS handshakes a second on one core, with certificates of both sides, one
# small request on each connection. Beside it nginx with ssl_verify_client on,
# the same certificates, the same core, and turn about, so that what else the
# machine does meets both. Per second of the server's processor time.
. bench/setting.sh

clients=16 slice=2 rounds=5

# measure MODE PORT PID FILE: adds a slice to FILE: handshakes, processor time, duration, resumed ones.
measure() {
  local cpu
  cpu=$(cpu_us "$3")
  load "$1" "$2" $clients $slice /agent/v1/none 0 >"$BENCH_WORK/load.json"
  cpu=$(($(cpu_us "$3") - cpu))
  jq --compact-output --argjson cpu "$cpu" '. + {cpu: $cpu}' "$BENCH_WORK/load.json" >>"$4"
}

# summary FILE: per second of processor time and of the clock, and each slice.
summary() {
  jq --slurp '{cpu: ((map(.done) | add) / (map(.cpu) | add) * 1e6), wall: ((map(.done) | add) / (map(.seconds) | add)),
    done: (map(.done) | add), resumed: (map(.resumed) | add), failed: (map(.failed) | add), slices: map(.done / .cpu * 1e6 | round)}' "$1"
}

manager_start
fleet --agents $clients --ramp 200 --duration 1
stop_all
manager_set loops 1
manager_start taskset -c $server_core
nginx_start taskset -c $server_core
for mode in full resumed; do
  for ((i = 0; i < rounds; i++)); do
    measure $mode $manager_port "$manager_pid" "$BENCH_WORK/muster.$mode"
    measure $mode $nginx_port "$nginx_pid" "$BENCH_WORK/nginx.$mode"
  done
  ours=$(summary "$BENCH_WORK/muster.$mode") theirs=$(summary "$BENCH_WORK/nginx.$mode")
  for one in "$ours" "$theirs"; do
    jq -e --arg mode $mode '.failed <= .done * 0.01 and ($mode == "full" or .resumed >= .done * 0.95)' <<<"$one" >/dev/null ||
      fail "$mode: too many failed or did not resume: $one"
  done
  result handshake-$mode "$(jq .cpu <<<"$ours")" handshakes/s nginx-verify-client "$(jq .cpu <<<"$theirs")" "$(
    jq -n --argjson ours "$ours" --argjson theirs "$theirs" --argjson clients $clients \
      '{muster_wall_per_s: $ours.wall, nginx_wall_per_s: $theirs.wall, clients: $clients, muster_slices: $ours.slices, nginx_slices: $theirs.slices}')"
done
