# bench: fanout
# One command to each of 10,000 agents whose polls are held: until the last has
# it, from the first request to the API on. Sixteen orders are on their way at a
# time; each is authenticated, audited, signed, stored durably and sent. Beside it as many
# posts of the same size to nginx answering 204, on as many connections.
. bench/setting.sh

agents=${BENCH_AGENTS:-10000}

manager_start
note "connecting $agents agents"
fleet --agents "$agents" --ramp 1000 --heartbeat 10m --duration 3 --fan-out
stop_all
nginx_start
load requests $nginx_port 16 4 /api/v1/computers 20 >"$BENCH_WORK/load.json"
nginx_ms=$(jq --argjson agents "$agents" '$agents / (.done / .seconds) * 1000' "$BENCH_WORK/load.json")
result fanout "$(fleet_number .fan_out.last_arrival_ms)" ms nginx-204-same-posts "$nginx_ms" "$(
  jq --argjson agents "$agents" '{agents: $agents, received: .commands.received, orders_accepted_ms: .fan_out.ordered_ms,
    arrival_after_issue_p50_ms: .commands.latency_ms.p50, arrival_after_issue_p99_ms: .commands.latency_ms.p99,
    arrival_after_issue_max_ms: .commands.latency_ms.max, order_p50_ms: .fan_out.request_p50_ms,
    order_p99_ms: .fan_out.request_p99_ms, at_a_time: 16}' "$BENCH_WORK/fleet.json")"
