# bench: offline-detection
# 10,000 agents with heartbeats every 20 s vanish without a word (kill -9). Each
# is offline when the arithmetic says so, three intervals after its last sign of
# life: how much later that was stored as its status, for the slowest of them.
. bench/setting.sh

agents=${BENCH_AGENTS:-10000} interval=20

ask() { curl --silent --fail --cacert "$data/ca.pem" --header "Authorization: Bearer $token" "$@"; }
offline() { [ "$(curl --silent --cacert "$data/ca.pem" "$url/metrics" | awk '/^muster_computers_by_status{status="offline"}/ { print $2 }')" -ge "$1" ]; }
# "2026-11-22T03:45:23.123456Z" as seconds.
late='def seconds: capture("^(?<whole>.{19})(?<part>\\.[0-9]+)?") | (.whole + "Z" | fromdate) + ((.part // "0") | tonumber);
      .items[] | (.status_since | seconds) - (.last_heard | seconds)'

manager_start
ask --request PATCH --header "Content-Type: application/json" --header "If-Match: *" \
  --data "{\"settings\":{\"link.heartbeat_interval\":\"${interval}s\",\"link.missed_heartbeats\":2}}" "$url/api/v1/policies/$(ask "$url/api/v1/policies" | jq -r ".items[] | select(.parent == null) | .id")" >/dev/null
fleet_start all --agents "$agents" --ramp 500
wait_for 240 "$agents agents" fleet_connected "$agents" all
sleep $((interval * 2))
kill -9 "$fleet_pid"
wait_for $((interval * 6)) "all of them offline" offline "$agents"
cursor=
: >"$BENCH_WORK/late"
while :; do
  page=$(ask "$url/api/v1/computers?state=offline&limit=1000${cursor:+&cursor=$cursor}")
  jq "$late" <<<"$page" >>"$BENCH_WORK/late"
  cursor=$(jq -r '.next // ""' <<<"$page")
  [ -n "$cursor" ] || break
done
sort -n -o "$BENCH_WORK/late" "$BENCH_WORK/late"
slowest=$(tail -1 "$BENCH_WORK/late") fastest=$(head -1 "$BENCH_WORK/late")
note "$(wc -l <"$BENCH_WORK/late") offline, $fastest to $slowest s after the last sign of life; $((3 * interval)) by the arithmetic"
result offline-detection "$(calculate "$slowest - 3 * $interval")" s none 0 "$(
  jq -n --argjson agents "$(wc -l <"$BENCH_WORK/late")" --argjson soonest_s "$(calculate "$fastest - 3 * $interval")" '{agents: $agents, soonest_s: $soonest_s}')"
