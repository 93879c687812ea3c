# bench: fanout
# One command to each of 10,000 agents whose polls are held: until the last has
# it, counted from the request to the API that orders it for all. Each command
# is signed for, stored durably and sent on its own. The agents share the two
# cores: they receive at once, and verify and answer when all have received.
# Beside it as many posts of the command's size to nginx answering 204, on 16
# connections.
. bench/setting.sh

agents=${BENCH_AGENTS:-10000}

manager_start
note "connecting $agents agents"
fleet --agents "$agents" --ramp 1000 --heartbeat 10m --duration 3 --fan-out
stop_all
nginx_start
load requests $nginx_port 16 4 /agent/v1/exchange 250 >"$BENCH_WORK/load.json"
nginx_ms=$(jq --argjson agents "$agents" '$agents / (.done / .seconds) * 1000' "$BENCH_WORK/load.json")
result fanout "$(fleet_number .fan_out.last_arrival_ms)" ms nginx-204-same-posts "$nginx_ms" "$(
  jq --argjson agents "$agents" '{agents: $agents, received: .commands.received, order_answered_ms: .fan_out.ordered_ms,
    median_arrival_ms: .fan_out.median_arrival_ms, last_arrival_ms: .fan_out.last_arrival_ms}' "$BENCH_WORK/fleet.json")"
