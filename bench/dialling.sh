# bench: dialling dialling-cpu dialling-full-cpu
# seconds: 1500
# by name alone
# The manager dials 10,000 agents on schedule. Two simulated fleets, each agent
# listening on an address of its own, in a policy that is manager-initiated:
# over two heartbeat intervals and more, how often each was dialled (once an
# interval, at nine tenths of it at the soonest), the longest that any waited,
# how many dials were under way at once beside the bound in force, the manager's
# processor time a dial, and offline alerts, which would all be false. Then the
# manager is killed (-9) and started again: all are dialled within an interval,
# with full handshakes, since TLS sessions to resume are kept in memory alone.
. bench/setting.sh

agents=${BENCH_AGENTS:-10000} interval=${BENCH_HEARTBEAT:-120} cycles=${BENCH_CYCLES:-2}
agent_port=${BENCH_AGENT_PORT:-24343}

cli() { MUSTER_SERVER=$url MUSTER_CA=$data/ca.pem MUSTER_TOKEN=$token "$BENCH_BIN/muster" "$@"; }
metrics() { curl --silent --max-time 60 --cacert "$data/ca.pem" "$url/metrics" >"$BENCH_WORK/metrics"; }
# metric NAME: of the lines that metrics() fetched; 0 when it is not there.
metric() { awk -v name="$1" '$1 == name { value = $2 } END { print value + 0 }' "$BENCH_WORK/metrics"; }
online() { metrics && [ "$(metric 'muster_computers_by_status{status="online"}')" -ge "$1" ]; }
dialled() { metrics && [ "$(metric muster_dials_total)" -ge "$1" ]; }
offline_alerts() { cli alert list --type computer_offline -o json | jq length; }
applied() { [ "$(cli policy list -o json | jq '[.[].applied] | add')" -ge "$agents" ]; }
# silent: how many computers the manager has not heard for longer than an interval and a fortieth.
silent() {
  cli computer list -o json | jq --argjson limit "$((interval * 41 / 40))" --argjson now "$(date +%s)" \
    '[.[] | select((.last_heard | sub("\\.[0-9]+"; "") | fromdate) < $now - $limit)] | length'
}

fleets=()
# fleet_listens NAME AGENTS PORT: until it is interrupted; then its summary is in NAME.json.
fleet_listens() {
  "$BENCH_BIN/muster-fleet-sim" --server "$url" --ca "$data/ca.pem" --token "$token" --identities "$BENCH_WORK/identities.$1" \
    --direction manager-initiated --listen-port "$3" --agents "$2" --ramp 250 -o json >"$BENCH_WORK/$1.json" 2>"$BENCH_WORK/$1.log" &
  fleets+=($!)
  started+=($!)
}
stop_fleets() {
  local fleet
  for fleet in "${fleets[@]}"; do
    kill -INT "$fleet"
    wait "$fleet" || note "a fleet says that not all is well: $(tail -qn 1 "$BENCH_WORK/one.log" "$BENCH_WORK/two.log")"
  done
}

manager_start
base=$(cli policy list -o json | jq -r '.[] | select(.parent == null) | .name')
cli policy set "$base" link.direction=manager-initiated "link.heartbeat_interval=${interval}s" >/dev/null
empty_kb=$(pss_kb "$manager_pid")
fleet_listens one $((agents / 2)) "$agent_port"
fleet_listens two $((agents - agents / 2)) $((agent_port + 1))
wait_for "${BENCH_PATIENCE:-400}" "$agents agents online" online "$agents"
wait_for $((interval * 2)) "their configurations" applied
# What follows a configuration is over: from here on all are dialled for their heartbeat alone.
sleep $((interval * 5 / 4))

metrics
dials=$(metric muster_dials_total) resumed=$(metric muster_dials_resumed_total) failed=$(metric muster_dials_failed_total)
cpu=$(cpu_us "$manager_pid") start=$(date +%s%N)
fewest=$agents missed=0
for ((cycle = 0; cycle < cycles; cycle++)); do
  for ((second = 0; second < interval; second += 5)); do
    sleep 5
    metrics
    now_online=$(metric 'muster_computers_by_status{status="online"}')
    [ "$now_online" -ge "$fewest" ] || fewest=$now_online
  done
  missed=$((missed + $(silent)))
done
metrics
cpu=$(($(cpu_us "$manager_pid") - cpu)) dials=$(($(metric muster_dials_total) - dials)) resumed=$(($(metric muster_dials_resumed_total) - resumed))
seconds=$(calculate "($(date +%s%N) - $start) / 1e9")
failed=$(($(metric muster_dials_failed_total) - failed)) ramp_highest=$(metric muster_dials_highest) bound=$(metric muster_dials_max)
alerts=$(offline_alerts) memory_kb=$(pss_kb "$manager_pid")

# shellcheck disable=SC2046
kill -9 $(family "$manager_pid")
{ wait "$manager_pid" || true; } 2>/dev/null
manager_start
full_cpu=$(cpu_us "$manager_pid") start=$(date +%s%N)
wait_for $((interval * 2)) "all to be dialled again" dialled "$agents"
full_cpu=$(($(cpu_us "$manager_pid") - full_cpu)) again=$(calculate "($(date +%s%N) - $start) / 1e9")
full_dials=$(metric muster_dials_total) full_resumed=$(metric muster_dials_resumed_total) highest=$(metric muster_dials_highest)
alerts=$((alerts + $(offline_alerts))) memory_again_kb=$(pss_kb "$manager_pid")
stop_fleets
longest=$(jq -s 'map(.between_dials_ms.max) | max / 1000' "$BENCH_WORK/one.json" "$BENCH_WORK/two.json")
each=$(calculate "$dials / $agents / ($seconds / $interval)") cpu_each=$(calculate "$cpu / $dials") full_each=$(calculate "$full_cpu / $full_dials")
note "$agents agents, $fewest online at the fewest, dialled $dials times in $seconds s: $each times an interval of $interval s; $missed missed, $failed failed; $longest s apart at most, the restart included"
note "at once: $ramp_highest of $bound while they came, $highest since the restart; $cpu_each us of processor time each, $resumed resumed; offline alerts: $alerts; $((memory_kb / 1024)) MB, $((empty_kb / 1024)) MB before"
note "killed and started: $full_dials dialled in $again s, $full_each us each, $full_resumed resumed; $((memory_again_kb / 1024)) MB"
detail=$(jq -n --argjson agents "$agents" --argjson fewest_online "$fewest" --argjson dials "$dials" --argjson seconds "$seconds" --argjson interval_s "$interval" \
  --argjson missed "$missed" --argjson failed "$failed" --argjson resumed "$resumed" --argjson at_once "$highest" --argjson at_once_ramp "$ramp_highest" --argjson bound "$bound" \
  --argjson longest_s "$longest" --argjson offline_alerts "$alerts" --argjson memory_kb "$memory_kb" --argjson empty_kb "$empty_kb" \
  --argjson again_s "$again" --argjson again_dials "$full_dials" --argjson again_memory_kb "$memory_again_kb" '$ARGS.named')
result dialling "$each" "dials/interval" on-schedule 1 "$detail"
result dialling-cpu "$cpu_each" us full-handshake "$full_each" "$detail"
result dialling-full-cpu "$full_each" us none 0 "$detail"
