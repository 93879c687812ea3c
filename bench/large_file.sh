# bench: large-file
# seconds: 1800
# A detection of just under 2 GB (more the engine does not take) through
# everything: vault, upload, download as a zip, the endpoint's copy lost, restored
# from the manager's. The most that any process grows by, beside the 32 MB it may;
# the seconds and each role's growth are in the detail. Takes some minutes: its
# time is the zip's.
. bench/setting.sh

large=2147483645
limit=32
MUSTER_BIN=$BENCH_BIN TMPDIR=$BENCH_WORK python3 test/integration/e2e/large_file.py --bytes "$large" \
  --result "$BENCH_WORK/large.json" >"$BENCH_WORK/large.log" 2>&1 || { tail -20 "$BENCH_WORK/large.log" >&2; exit 1; }
most=$(jq '[.growth[]] | max / 1048576' "$BENCH_WORK/large.json")
result large-file "$most" MB limit "$limit" "$(cat "$BENCH_WORK/large.json")"
