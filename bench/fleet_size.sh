# bench: fleet-size
# What one computer costs the manager in a fleet of 1,000, 10,000 and 100,000,
# without sockets: processor time of a heartbeat, of the ticks of a heartbeat
# interval, of falling silent (found offline, event and alert stored), of coming
# back, of its row in the list and of being shown, and of a call for all policies with
# what their computers have in force. The reference is 1,000.
. bench/setting.sh

for computers in 1000 10000 100000; do
  "$BENCH_TOOLS/muster-bench-fleet-size" "$BENCH_WORK" $computers >"$BENCH_WORK/fleet-size-$computers.json" || fail "no figures of $computers"
  rm -f "$BENCH_WORK"/fleet-$computers.db*
done
for part in heartbeat tick silence back list show policies; do
  of() { jq ".$part" "$BENCH_WORK/fleet-size-$1.json"; }
  unit='us a computer'
  [ $part != policies ] || unit='us a call'
  result fleet-size "$(of 100000)" "$unit ($part)" 1,000-computers "$(of 1000)" \
    "$(jq -n --arg part $part --argjson middle "$(of 10000)" '{part: $part, agents: 100000, at_10000: $middle}')"
done
