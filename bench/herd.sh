# bench: herd-return herd-api herd-idle
# seconds: 1200
# A herd on one manager, both on the same two cores: with 1,000, 5,000 and as many
# agents as open files allow on held polls, the processor time of a manager that
# has nothing to do; then the manager is killed (-9) and started again: how long
# until every poll is held once more, and how long calls of the API take
# meanwhile, each on a connection of its own.
. bench/setting.sh

steps="${BENCH_AGENTS:-1000 5000 15000 18000}"
idle_seconds=${BENCH_IDLE_SECONDS:-30}

metric() { curl --silent --max-time 60 --cacert "$data/ca.pem" "$url/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }
held_at_least() { local held; held=$(metric muster_held_polls) && [ "${held:-0}" -ge "$1" ]; }

# Calls the API again and again until a file is there; a line for each: seconds, status.
callers() {
  while [ ! -e "$1.end" ]; do
    curl --silent --output /dev/null --max-time 30 --cacert "$data/ca.pem" --header "Authorization: Bearer $token" \
      --write-out '%{time_total} %{http_code} %{time_connect} %{time_appconnect}\n' "$url/api/v1/computers?limit=50" >>"$1" || true
    sleep 0.05
  done
}
percentile() { awk '$2 == 200' "$1" | sort -n | awk -v part="$2" '{ all[NR] = $1 } END { print NR ? 1000 * all[int((NR - 1) * part) + 1] : 0 }'; }

manager_start
connected=0
for agents in $steps; do
  # Enrolled first, and gone: a fleet that has been there for a while, whose agents know how many they are.
  identities=$BENCH_WORK/identities.$agents
  fleet --agents $((agents - connected)) --ramp 500 --heartbeat 10m --duration 1s
  fleet_start "$agents" --agents $((agents - connected)) --ramp 500 --heartbeat 10m
  wait_for 400 "$agents agents" fleet_connected $((agents - connected)) "$agents"
  connected=$agents
  wait_for 60 "held polls" held_at_least "$agents"
  sleep 12
  cpu=$(cpu_us "$manager_pid")
  sleep "$idle_seconds"
  cpu=$(($(cpu_us "$manager_pid") - cpu))
  idle=$(calculate "100 * $cpu / 1e6 / $idle_seconds")
  note "$agents agents: $(($(pss_kb "$manager_pid") / 1024)) MB, idle: $idle % of a core"
  result herd-idle "$idle" "% of a core" none 0 "$(jq -n --argjson agents "$agents" '{agents: $agents}')"

  # shellcheck disable=SC2046
  kill -9 $(family "$manager_pid")
  wait "$manager_pid" 2>/dev/null || true
  start=$(date +%s%N)
  manager_start
  ready=$(date +%s%N)
  rm -f "$BENCH_WORK/calls" "$BENCH_WORK/calls.end"
  callers "$BENCH_WORK/calls" &
  callers_pid=$!
  cpu=$(cpu_us "$manager_pid")
  wait_for 400 "the return of $agents agents" held_at_least "$agents"
  back=$(date +%s%N)
  cpu=$(($(cpu_us "$manager_pid") - cpu))
  touch "$BENCH_WORK/calls.end"
  wait "$callers_pid"
  seconds=$(calculate "($back - $ready) / 1e9")
  p99=$(percentile "$BENCH_WORK/calls" 0.99) longest=$(percentile "$BENCH_WORK/calls" 1)
  refused=$(awk '$2 != 200 { count++ } END { print count + 0 }' "$BENCH_WORK/calls")
  note "$agents agents: started in $(calculate "($ready - $start) / 1e9") s, all back $seconds s later, manager's processor time $(calculate "$cpu / 1e6") s; API: $(wc -l <"$BENCH_WORK/calls") calls, p99 $p99 ms, longest $longest ms, failed $refused"
  detail=$(jq -n --argjson agents "$agents" --argjson calls "$(wc -l <"$BENCH_WORK/calls")" --argjson failed "$refused" --argjson p99_ms "$p99" \
    --argjson cpu_s "$(calculate "$cpu / 1e6")" '{agents: $agents, calls: $calls, failed: $failed, p99_ms: $p99_ms, manager_cpu_s: $cpu_s}')
  result herd-return "$seconds" s none 0 "$detail"
  result herd-api "$longest" ms none 0 "$detail"
done
