# bench: memory-per-agent manager-memory
# Proportional set size of the manager's processes with 0, 1,000, 10,000 and
# 18,000 agents whose polls are held (open files end at 20,000 a process on our
# machines), and what that makes for each agent: all that is more than in the
# empty manager, divided by their number, so that what the first agents make the
# manager load counts most where they are few (each_more_kb in the detail is
# against the step before). Each step stands still when it is
# measured: its agents are there and no more are coming. Beside it nginx with
# idle TLS connections of as many clients, certificates verified.
. bench/setting.sh

steps="${BENCH_AGENTS:-1000 10000 18000}"
most=${steps##* }

manager_start
sleep 1
before=$(pss_kb "$manager_pid")
connected=0
for agents in $steps; do
  fleet_start "up-to-$agents" --agents $((agents - connected)) --ramp 1000 --heartbeat 10m
  wait_for 300 "$agents agents" fleet_connected $((agents - connected)) "up-to-$agents"
  connected=$agents
  sleep 12 # the manager gives back what a storm took within ten seconds
  memory[agents]=$(pss_kb "$manager_pid")
  note "$agents agents: $((memory[agents] / 1024)) MB"
done
identities=$BENCH_WORK/identities.up-to-$most
kill -INT "$fleet_pid" # it writes its identities down
wait_for 30 "the certificates" test -s "$identities"
stop_all

nginx_start
sleep 0.5
nginx_before=$(pss_kb "$nginx_pid")
reference=10000
[ "$most" -ge "$reference" ] || reference=$most
load idle $nginx_port "$reference" 120 /agent/v1/exchange 100 >"$BENCH_WORK/idle.log" &
load_pid=$!
wait_for 90 "nginx's connections" grep -q ready "$BENCH_WORK/idle.log"
nginx_memory=$(pss_kb "$nginx_pid")
kill "$load_pid"
wait "$load_pid" 2>/dev/null || true
nginx_each=$(calculate "($nginx_memory - $nginx_before) / $reference")

result manager-memory "$(calculate "$before / 1024")" MB nginx-idle-tls "$(calculate "$nginx_before / 1024")" '{"agents": 0}'
agents_before=0 memory[0]=$before
for agents in $steps; do
  each_more=$(calculate "(${memory[agents]} - ${memory[agents_before]}) / ($agents - $agents_before)")
  agents_before=$agents
  detail=$(jq -n --argjson agents "$agents" --argjson pss_kb "${memory[agents]}" --argjson before_kb "$before" \
    --argjson nginx_connections "$reference" --argjson each_more_kb "$each_more" '{agents: $agents, each_more_kb: $each_more_kb, pss_kb: $pss_kb, empty_manager_kb: $before_kb, nginx_connections: $nginx_connections}')
  result memory-per-agent "$(calculate "(${memory[agents]} - $before) / $agents")" KB nginx-idle-tls "$nginx_each" "$detail"
  [ "$agents" -gt 10000 ] ||
    result manager-memory "$(calculate "${memory[agents]} / 1024")" MB nginx-idle-tls "$(calculate "($nginx_before + $nginx_each * $agents) / 1024")" "$detail"
done
