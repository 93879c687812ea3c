# bench: agents-online
# 10,000 agents with heartbeats every 60 s, on the manager's own two cores: how
# many of them the manager says are online, asked every five seconds for more than two
# intervals, the fewest; by the system's figure and by counting the list of
# computers at the end. And the manager's proportional set size then.
. bench/setting.sh

agents=${BENCH_AGENTS:-10000} seconds=130

ask() { curl --silent --fail --cacert "$data/ca.pem" --header "Authorization: Bearer $token" "$url/api/v1/$1"; }
online() { ask system | jq .online; }
# By the list, page by page.
listed() {
  local sum=0 cursor= page
  while :; do
    page=$(ask "computers?state=online&limit=1000${cursor:+&cursor=$cursor}")
    sum=$((sum + $(jq '.items | length' <<<"$page")))
    cursor=$(jq -r '.next // ""' <<<"$page")
    [ -n "$cursor" ] || break
  done
  echo "$sum"
}
exchanges() { curl --silent --cacert "$data/ca.pem" "$url/metrics" | awk '/^muster_exchanges_total/ { print $2 }'; }

manager_start
fleet_start all --agents "$agents" --ramp 500 --heartbeat 60s
wait_for 240 "$agents agents" fleet_connected "$agents" all
fewest=$agents before=$(exchanges) cpu=$(cpu_us "$manager_pid") end=$((SECONDS + seconds))
while [ $SECONDS -lt $end ]; do
  now=$(online)
  [ "$now" -ge "$fewest" ] || fewest=$now
  sleep 5
done
cpu=$(($(cpu_us "$manager_pid") - cpu))
heartbeats=$(($(exchanges) - before)) list=$(listed) memory=$(pss_kb "$manager_pid")
note "online: at least $fewest, $list listed; $heartbeats heartbeats in $seconds s; $((memory / 1024)) MB"
[ "$list" -ge "$fewest" ] || fewest=$list
result agents-online "$fewest" agents connected "$agents" "$(
  jq -n --argjson seconds $seconds --argjson heartbeats "$heartbeats" --argjson listed "$list" --argjson pss_mb "$(calculate "$memory / 1024")" \
    --argjson cores "$(calculate "$cpu / $seconds / 1e6")" '{seconds: $seconds, heartbeats: $heartbeats, listed_online: $listed, manager_pss_mb: $pss_mb, manager_cores_used: $cores}')"
