# bench: handshake-full handshake-resumed
# TLS handshakes a second on one core, with certificates of both sides, one
# small request on each connection. Beside it nginx with ssl_verify_client on,
# the same certificates, the same core. Per second of the server's processor time.
. bench/setting.sh

clients=16 seconds=8

# measure NAME PORT PID MODE: sets rate (per second of processor time) and wall.
measure() {
  local cpu began
  cpu=$(cpu_us "$3")
  load "$4" "$2" $clients $seconds /agent/v1/none 0 >"$BENCH_WORK/load.json"
  cpu=$(($(cpu_us "$3") - cpu))
  rate=$(jq --argjson cpu "$cpu" '.done / $cpu * 1e6' "$BENCH_WORK/load.json")
  wall=$(jq '.done / .seconds' "$BENCH_WORK/load.json")
  if [ "$4" = resumed ]; then
    jq -e '.resumed >= .done * 0.95' "$BENCH_WORK/load.json" >/dev/null || fail "$1 resumed only $(jq .resumed "$BENCH_WORK/load.json") of $(jq .done "$BENCH_WORK/load.json") sessions"
  fi
}

manager_start
fleet --agents $clients --ramp 200 --duration 1
stop_all
manager_set loops 1
manager_start taskset -c $server_core
measure muster $manager_port "$manager_pid" full
full=$rate full_wall=$wall
measure muster $manager_port "$manager_pid" resumed
resumed=$rate resumed_wall=$wall
stop_all
manager_set loops 0
nginx_start taskset -c $server_core
measure nginx $nginx_port "$nginx_pid" full
result handshake-full "$full" handshakes/s nginx-verify-client "$rate" "$(
  jq -n --argjson a "$full_wall" --argjson b "$wall" --argjson c $clients '{muster_wall_per_s: $a, nginx_wall_per_s: $b, clients: $c}')"
measure nginx $nginx_port "$nginx_pid" resumed
result handshake-resumed "$resumed" handshakes/s nginx-verify-client "$rate" "$(
  jq -n --argjson a "$resumed_wall" --argjson b "$wall" --argjson c $clients '{muster_wall_per_s: $a, nginx_wall_per_s: $b, clients: $c}')"
