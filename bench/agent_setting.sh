# An agent of this machine beside the manager, clamd with the same signatures,
# and a tree of real files. Sourced after bench/setting.sh.
signatures=$BENCH_WORK/signatures
agent_data=$BENCH_WORK/agent
tree=$BENCH_WORK/tree

# tree_make BYTES: every third of this machine's libraries and shared files, about that much in all.
tree_make() {
  mkdir -p "$tree"
  find /usr/lib /usr/share -xdev -type f -size -20000k -printf '%s\t%p\n' 2>/dev/null | LC_ALL=C sort -t "$(printf '\t')" -k2 |
    awk -F '\t' -v wanted="$1" 'NR % 3 == 0 && sum < wanted { sum += $1; print $2 }' |
    xargs -d '\n' cp --parents --target-directory="$tree"
  files=$(find "$tree" -type f | wc -l)
  bytes=$(find "$tree" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
  chmod -R a+rX "$tree"
  find "$tree" -type f -exec cat {} + >/dev/null # all in the page cache
}

agent_start() {
  mkdir -p "$signatures" "$agent_data"
  cp data/signatures/* "$signatures/"
  chmod -R a+rX "$signatures"
  printf '[scan]\nsignatures = %s\n' "$signatures" >"$agent_data/agent.ini"
  local fingerprint enrolment
  fingerprint=$(openssl x509 -in "$data/ca.pem" -noout -fingerprint -sha256 | cut -d= -f2)
  enrolment=$(curl --silent --fail --cacert "$data/ca.pem" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
    -d '{"uses":1,"expires":"1h"}' "$url/api/v1/enrolment-tokens" | jq -er .token)
  "$BENCH_BIN/muster-agent" activate "$url" --token "$enrolment" --ca-fingerprint "$fingerprint" --data "$agent_data" >/dev/null
  "$BENCH_BIN/muster-agent" run --data "$agent_data" 2>>"$BENCH_WORK/agent.log" &
  agent_pid=$!
  started+=("$agent_pid")
  wait_for 30 "the agent's start" "$BENCH_BIN/muster-agent" status --data "$agent_data"
}

clamd_start() {
  mkdir -p "$BENCH_WORK/clamd"
  cat >"$BENCH_WORK/clamd/clamd.conf" <<TEXT
DatabaseDirectory $signatures
LocalSocket $BENCH_WORK/clamd/socket
PidFile $BENCH_WORK/clamd/pid
LogFile $BENCH_WORK/clamd/log
Foreground yes
User root
MaxThreads $(nproc)
AlertExceedsMax yes
TEXT
  clamd --config-file="$BENCH_WORK/clamd/clamd.conf" >"$BENCH_WORK/clamd/out" 2>&1 &
  clamd_pid=$!
  started+=("$clamd_pid")
  wait_for 60 "clamd" test -S "$BENCH_WORK/clamd/socket"
}
clamd_scan() { clamdscan --config-file="$BENCH_WORK/clamd/clamd.conf" --multiscan --fdpass --quiet "$tree" >/dev/null || true; }

# seconds_of COMMAND...: how long it takes, by the clock; its output in $BENCH_WORK/timed.
seconds_of() {
  local began ended
  began=$(date +%s%N)
  "$@" >"$BENCH_WORK/timed" 2>&1 || { tail -3 "$BENCH_WORK/timed" >&2; return 1; }
  ended=$(date +%s%N)
  calculate "($ended - $began) / 1e9"
}
