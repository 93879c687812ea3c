# bench: dialling dialling-cpu
# seconds: 1200
# by name alone
# The manager dials 10,000 agents on schedule. Two simulated fleets, each agent
# listening on an address of its own, in a policy that is manager-initiated:
# over two heartbeat intervals and more, how often each was dialled (once an
# interval, at nine tenths of it at the soonest), the longest that any waited,
# how many dials were under way at once beside the bound in force, the manager's
# processor time a dial, and offline alerts, which would all be false.
. bench/setting.sh

agents=${BENCH_AGENTS:-10000} interval=${BENCH_HEARTBEAT:-120} cycles=${BENCH_CYCLES:-2}
agent_port=${BENCH_AGENT_PORT:-24343}

cli() { MUSTER_SERVER=$url MUSTER_CA=$data/ca.pem MUSTER_TOKEN=$token "$BENCH_BIN/muster" "$@"; }
metrics() { curl --silent --max-time 60 --cacert "$data/ca.pem" "$url/metrics" >"$BENCH_WORK/metrics"; }
# metric NAME: of the lines that metrics() fetched; 0 when it is not there.
metric() { awk -v name="$1" '$1 == name { value = $2 } END { print value + 0 }' "$BENCH_WORK/metrics"; }
online() { metrics && [ "$(metric 'muster_computers_by_status{status="online"}')" -ge "$1" ]; }
offline_alerts() { cli alert list --type computer_offline -o json | jq length; }
applied() { [ "$(cli policy list -o json | jq '[.[].applied] | add')" -ge "$agents" ]; }

fleets=()
# fleet_listens NAME AGENTS PORT: until it is interrupted; then its summary is in NAME.json.
fleet_listens() {
  "$BENCH_BIN/muster-fleet-sim" --server "$url" --ca "$data/ca.pem" --token "$token" --identities "$BENCH_WORK/identities.$1" \
    --direction manager-initiated --listen-port "$3" --agents "$2" --ramp 250 -o json >"$BENCH_WORK/$1.json" 2>"$BENCH_WORK/$1.log" &
  fleets+=($!)
  started+=($!)
}

manager_start
base=$(cli policy list -o json | jq -r '.[] | select(.parent == null) | .name')
cli policy set "$base" link.direction=manager-initiated "link.heartbeat_interval=${interval}s" >/dev/null
empty_kb=$(pss_kb "$manager_pid")
fleet_listens one $((agents / 2)) "$agent_port"
fleet_listens two $((agents - agents / 2)) $((agent_port + 1))
wait_for ${BENCH_PATIENCE:-400} "$agents agents online" online "$agents"
wait_for $((interval * 2)) "their configurations" applied
# What follows a configuration is over: from here on all are dialled for their heartbeat alone.
sleep $((interval / 2))

metrics
dials=$(metric muster_dials_total) resumed=$(metric muster_dials_resumed_total) failed=$(metric muster_dials_failed_total)
cpu=$(cpu_us "$manager_pid") start=$(date +%s%N)
fewest=$agents
for ((second = 0; second < interval * cycles + interval / 4; second += 5)); do
  sleep 5
  metrics
  now_online=$(metric 'muster_computers_by_status{status="online"}')
  [ "$now_online" -ge "$fewest" ] || fewest=$now_online
done
cpu=$(($(cpu_us "$manager_pid") - cpu)) dials=$(($(metric muster_dials_total) - dials)) resumed=$(($(metric muster_dials_resumed_total) - resumed))
seconds=$(calculate "($(date +%s%N) - $start) / 1e9")
failed=$(($(metric muster_dials_failed_total) - failed)) highest=$(metric muster_dials_highest) bound=$(metric muster_dials_max)
alerts=$(offline_alerts) memory_kb=$(pss_kb "$manager_pid")
for fleet in "${fleets[@]}"; do
  kill -INT "$fleet"
  wait "$fleet" || note "a fleet says that not all is well: $(tail -1 "$BENCH_WORK/one.log" "$BENCH_WORK/two.log")"
done
longest=$(jq -s 'map(.between_dials_ms.max) | max / 1000' "$BENCH_WORK/one.json" "$BENCH_WORK/two.json")
each=$(calculate "$dials / $agents / ($seconds / $interval)") cpu_each=$(calculate "$cpu / $dials")
note "$agents agents, $fewest online at the fewest, dialled $dials times in $seconds s: $each times an interval of $interval s, $longest s apart at most, $failed failed"
note "at once: $highest of $bound; $cpu_each us of processor time each, $resumed resumed; offline alerts: $alerts; $((memory_kb / 1024)) MB, $((empty_kb / 1024)) MB before"
detail=$(jq -n --argjson agents "$agents" --argjson fewest_online "$fewest" --argjson dials "$dials" --argjson seconds "$seconds" --argjson interval_s "$interval" \
  --argjson failed "$failed" --argjson resumed "$resumed" --argjson at_once "$highest" --argjson bound "$bound" --argjson longest_s "$longest" \
  --argjson offline_alerts "$alerts" --argjson memory_kb "$memory_kb" --argjson empty_kb "$empty_kb" '$ARGS.named')
result dialling "$each" "dials/interval" on-schedule 1 "$detail"
result dialling-cpu "$cpu_each" us none 0 "$detail"
