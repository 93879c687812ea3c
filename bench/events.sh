# bench: durable-events
# Events a second, end to end: made by agents, sent, stored with a synced
# commit, acknowledged to the agents. Beside it plain inserts of the same rows
# into a new SQLite database with the same table, indexes, journal mode and
# synchronous setting, 2,000 rows a transaction, by a program that does nothing else.
. bench/setting.sh

agents=100 seconds=12

manager_start
fleet --agents $agents --ramp 200 --events 1000000 --duration $seconds ||
  [ "$(fleet_number '.events.waiting + .events.dropped')" -gt 0 ] || fail "no figures"
note "$(fleet_number '.events | "\(.acknowledged) acknowledged, \(.waiting) waiting, \(.dropped) dropped"')"
commits=$(curl --silent --cacert "$data/ca.pem" "$url/metrics" | awk '/^muster_store_commits_total/ { print $2 }')
stored=$(curl --silent --cacert "$data/ca.pem" "$url/metrics" | awk '/^muster_events_stored_total/ { print $2 }')
stop_all
[ "$stored" -eq "$(fleet_number .events.acknowledged)" ] || note "the manager counts $stored events stored"
cp "$data"/front/muster.db* "$BENCH_WORK/"
"$BENCH_TOOLS/muster-bench-insert" "$BENCH_WORK/muster.db" event "$BENCH_WORK/plain.db" 200000 2000 >"$BENCH_WORK/insert.json"
result durable-events "$(fleet_number .events.acknowledged_per_s)" events/s sqlite-batched-inserts \
  "$(jq '.rows / .seconds' "$BENCH_WORK/insert.json")" "$(
    jq --argjson insert "$(cat "$BENCH_WORK/insert.json")" --argjson stored "$stored" --argjson commits "$commits" --argjson agents $agents \
      '{agents: $agents, acknowledged: .events.acknowledged, waiting: .events.waiting, dropped: .events.dropped,
        stored: $stored, commits: $commits, plain: $insert}' "$BENCH_WORK/fleet.json")"
rm -f "$BENCH_WORK"/plain.db* "$BENCH_WORK"/muster.db*
