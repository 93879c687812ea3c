# bench: scan-cold scan-again
# A scan of real files, MB/s: no verdicts known yet, files in the page cache.
# Beside it `clamdscan --multiscan` with the same database, as many threads,
# started afresh. Then the unchanged tree again, beside `find -type f`.
. bench/setting.sh
. bench/agent_setting.sh

tree_make $((${BENCH_SCAN_MB:-300} * 1000000))
note "$files files, $((bytes / 1000000)) MB"
manager_start
agent_start
"$BENCH_BIN/muster-agent" scan --data "$agent_data" /usr/share/common-licenses >/dev/null # the engine is loaded
muster_s=$(seconds_of "$BENCH_BIN/muster-agent" scan --data "$agent_data" -o json "$tree")
note "muster: $muster_s s"
sleep 2 # verdicts are kept
again_s=$(seconds_of "$BENCH_BIN/muster-agent" scan --data "$agent_data" -o json "$tree")
find_s=$(seconds_of find "$tree" -type f)
note "muster again: $again_s s, find: $find_s s"
stop_all
clamd_start
clamd_s=$(seconds_of clamd_scan)
note "clamdscan: $clamd_s s"
clamd_again_s=$(seconds_of clamd_scan)
detail=$(jq -n --argjson files "$files" --argjson bytes "$bytes" --argjson a "$muster_s" --argjson b "$clamd_s" --argjson c "$again_s" \
  --argjson d "$find_s" --argjson e "$clamd_again_s" --argjson workers "$(nproc)" \
  '{files: $files, bytes: $bytes, muster_s: $a, clamdscan_s: $b, muster_again_s: $c, find_s: $d, clamdscan_again_s: $e, workers: $workers}')
result scan-cold "$(calculate "$bytes / 1e6 / $muster_s")" MB/s clamdscan-multiscan "$(calculate "$bytes / 1e6 / $clamd_s")" "$detail"
result scan-again "$again_s" s find-type-f "$find_s" "$detail"
