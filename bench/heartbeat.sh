# bench: heartbeat
# Heartbeats a second on one core over kept-alive TLS: authenticated by the
# certificate, state updated, answered at once. Beside it nginx answering 204
# to a request of the same size with the same certificate on the same core.
# Rates are per second of the server's processor time, so that what else the
# machine does meanwhile counts less; rates by the clock are in the detail.
. bench/setting.sh

agents=200 seconds=8

manager_start
fleet --agents $agents --ramp 200 --duration 1
bytes=$(fleet_number '.exchanges.bytes_sent / .exchanges.count | floor')
stop_all
manager_set loops 1
manager_start taskset -c $server_core
note "muster: $agents agents ask as fast as they are answered"
taskset -c $load_core "$BENCH_BIN/muster-fleet-sim" --server "$url" --ca "$data/ca.pem" --token "$token" --identities "$identities" \
  --agents $agents --threads 1 --ramp 1000 --poll 1ms --duration $((seconds + 3))s -o json >"$BENCH_WORK/fleet.json" 2>"$BENCH_WORK/fleet.log" &
fleet_pid=$!
wait_for 30 "the fleet" fleet_connected $agents
sleep 1
count() { curl --silent --cacert "$data/ca.pem" "$url/metrics" | awk '/^muster_exchanges_total/ { print $2 }'; }
requests=$(count) cpu=$(cpu_us $manager_pid) began=$(date +%s%N)
sleep $seconds
requests=$(($(count) - requests)) cpu=$(($(cpu_us $manager_pid) - cpu)) nanoseconds=$(($(date +%s%N) - began))
wait $fleet_pid
bytes=$(fleet_number '.exchanges.bytes_sent / .exchanges.count | floor')
stop_all
manager_set loops 0

note "nginx: as many clients post $bytes bytes"
nginx_start taskset -c $server_core
load requests $nginx_port $agents $((seconds + 2)) /agent/v1/exchange "$bytes" >"$BENCH_WORK/load.json" &
load_pid=$!
sleep 1.5
nginx_cpu=$(cpu_us $nginx_pid) began=$(date +%s%N)
wait $load_pid
nginx_cpu=$(($(cpu_us $nginx_pid) - nginx_cpu)) nginx_nanoseconds=$(($(date +%s%N) - began))
nginx_rate=$(jq '.done / .seconds' "$BENCH_WORK/load.json")
nginx_requests=$(calculate "$nginx_rate * $nginx_nanoseconds / 1e9")
result heartbeat "$(calculate "$requests / $cpu * 1e6")" "requests/s" nginx-204 "$(calculate "$nginx_requests / $nginx_cpu * 1e6")" "$(
  jq -n --argjson muster_wall "$(calculate "$requests / $nanoseconds * 1e9")" --argjson nginx_wall "$nginx_rate" --argjson bytes "$bytes" \
    --argjson p99 "$(fleet_number .exchanges.latency_ms.p99)" --argjson agents $agents \
    '{per: "second of the server'"'"'s processor time, one core", muster_wall_per_s: $muster_wall, nginx_wall_per_s: $nginx_wall,
      body_bytes: $bytes, connections: $agents, muster_p99_ms: $p99}')"
