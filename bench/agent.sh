# bench: agent-idle agent-scanning
# Proportional set size of an agent: all its processes with the engine not
# loaded, and the most while it scans. Beside it clamd with the same database,
# idle and during the same scan (it has no link, no guard and no quarantine).
. bench/setting.sh
. bench/agent_setting.sh

# most_kb PID COMMAND...: the highest sum seen while COMMAND runs.
most_kb() {
  local pid=$1 most=0 now
  shift
  "$@" >/dev/null 2>&1 &
  local command_pid=$!
  while kill -0 $command_pid 2>/dev/null; do
    now=$(pss_kb "$pid")
    [ "$now" -le "$most" ] || most=$now
    sleep 0.1
  done
  wait $command_pid || true
  echo "$most"
}

tree_make 100000000
manager_start
agent_start
sleep 3
idle=$(pss_kb "$agent_pid")
roles=$(for pid in $(family "$agent_pid"); do
  jq -n --arg name "$(tr '\0' ' ' <"/proc/$pid/cmdline")" --argjson kb "$(pss_kb "$pid")" '{($name): $kb}'
done | jq --slurp add)
scanning=$(most_kb "$agent_pid" "$BENCH_BIN/muster-agent" scan --data "$agent_data" "$tree")
stop_all
clamd_start
sleep 2
clamd_idle=$(pss_kb "$clamd_pid")
clamd_scanning=$(most_kb "$clamd_pid" clamd_scan)
result agent-idle "$(calculate "$idle / 1024")" MB clamd-idle "$(calculate "$clamd_idle / 1024")" "$(jq -n --argjson roles "$roles" '{pss_kb_of_process_and_children: $roles}')"
result agent-scanning "$(calculate "$scanning / 1024")" MB clamd-scanning "$(calculate "$clamd_scanning / 1024")"
