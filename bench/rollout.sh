# bench: rollout
# The roll-out of a changed base policy: 10,000 agents with held polls, half of them
# in a policy of their own that overrides what is changed. How many a second get
# their new configuration, beside the rate that is set (policy.rollout_rate), and
# how many exchanges those had whose configuration stays the same: none.
. bench/setting.sh

agents=${BENCH_AGENTS:-10000} rate=${BENCH_RATE:-200}

cli() { MUSTER_SERVER=$url MUSTER_CA=$data/ca.pem MUSTER_TOKEN=$token "$BENCH_BIN/muster" "$@"; }
applied() { cli policy list -o json | jq --arg name "$1" '.[] | select(.name == $name) | .applied'; }
all_applied() { [ "$(applied "$1")" -ge "$2" ]; }
# Of the lines of a fleet, how many exchanges they tell of.
exchanges() { awk '{ for (i = 1; i < NF; i++) if ($i == "exchanges") { sub("/s", "", $(i + 1)); sum += $(i + 1) } } END { print sum + 0 }' "$BENCH_WORK/$1.log"; }

manager_start
base=$(cli policy list -o json | jq -r '.[] | select(.parent == null) | .name')
cli settings set "policy.rollout_rate=$rate" >/dev/null
cli policy create apart --parent "$base" >/dev/null
cli policy set apart link.missed_heartbeats=7 link.heartbeat_interval=2h >/dev/null
own=$token
fleet_start below --agents $((agents / 2)) --ramp 500 --heartbeat 1h
token=$(cli token create --enrolment --policy apart --expires 1h -o json | jq -r .token)
fleet_start apart --agents $((agents / 2)) --ramp 500 --heartbeat 1h
token=$own
wait_for 240 "the agents" fleet_connected $((agents / 2)) below
wait_for 240 "the agents apart" fleet_connected $((agents / 2)) apart
wait_for 240 "their first configurations" all_applied "$base" $((agents / 2))
wait_for 240 "their first configurations" all_applied apart $((agents / 2))
sleep 3
quiet=$(exchanges apart)
cli policy set "$base" link.heartbeat_interval=90m >/dev/null
start=$(date +%s%N)
wait_for 240 "the roll-out" all_applied "$base" $((agents / 2))
seconds=$(calculate "($(date +%s%N) - $start) / 1e9")
sleep 2
contacted=$(($(exchanges apart) - quiet))
note "$((agents / 2)) agents in $seconds s; the others had $contacted exchanges"
result rollout "$(calculate "$agents / 2 / $seconds")" agents/s rate-set "$rate" "$(
  jq -n --argjson agents $((agents / 2)) --argjson seconds "$seconds" --argjson others_exchanges "$contacted" '{agents: $agents, seconds: $seconds, others_exchanges: $others_exchanges}')"
