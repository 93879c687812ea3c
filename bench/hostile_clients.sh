# bench: hostile-clients
# 5,000 slow and broken clients of fifteen kinds at once for 40 s, beside 200
# agents with heartbeats and events: 99 of 100 API calls are answered within so
# many milliseconds, on kept and on new connections. Beside it the same calls
# before they came. What became of each kind is in the detail.
. bench/setting.sh

TMPDIR=$BENCH_WORK python3 test/integration/http/hostile_clients.py "$BENCH_BIN/muster-manager" "$BENCH_BIN/muster-fleet-sim" \
  --clients 5000 --agents 200 --seconds 40 --result "$BENCH_WORK/hostile.json" >"$BENCH_WORK/hostile.log" 2>&1 ||
  { tail -30 "$BENCH_WORK/hostile.log" >&2; exit 1; }
detail=$(jq '{before, during, at_once, growth_bytes, agents_lost, longest_s: [.kinds | to_entries[] | {(.key): .value.longest_s}] | add}' \
  "$BENCH_WORK/hostile.json")
during=$(jq '[.during[].p99_ms] | max' "$BENCH_WORK/hostile.json")
before=$(jq '[.before[].p99_ms] | max' "$BENCH_WORK/hostile.json")
result hostile-clients "$during" ms without-them "$before" "$detail"
