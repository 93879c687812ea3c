# What benchmarks stand on: a manager with a fleet enrolled, nginx beside it,
# processor time, memory, and lines of results. Sourced by bench/*.sh, which
# scripts/bench runs with BENCH_BIN, BENCH_TOOLS, BENCH_WORK and BENCH_OUT set.
set -euo pipefail

: "${BENCH_BIN:?run scripts/bench}" "${BENCH_TOOLS:?}" "${BENCH_WORK:?}" "${BENCH_OUT:?}"
server_core=0 load_core=1
[ "$(nproc)" -gt 1 ] || load_core=0
manager_port=${BENCH_PORT:-14343} nginx_port=14443
data=$BENCH_WORK/manager
url=https://127.0.0.1:$manager_port
identities=$BENCH_WORK/identities
started=()

note() { echo "  $*" >&2; }
fail() { echo "bench: $*" >&2; exit 1; }

stop_all() {
  local pid
  for pid in "${started[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  started=()
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# wait_for SECONDS WHAT COMMAND...
wait_for() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "no end of waiting for $what"
    sleep 0.1
  done
}

# --- Muster's manager -------------------------------------------------------
# manager_start [COMMAND...]: with COMMAND (taskset -c 0) in front. Sets manager_pid and token.
manager_start() {
  [ -d "$data" ] || "$BENCH_BIN/muster-manager" init --data "$data" --listen "127.0.0.1:$manager_port" --name localhost -o json >/dev/null
  "$@" "$BENCH_BIN/muster-manager" run --data "$data" >>"$BENCH_WORK/manager.log" 2>&1 &
  manager_pid=$!
  started+=("$manager_pid")
  wait_for 30 "the manager's start" curl --silent --fail --cacert "$data/ca.pem" "$url/readyz"
  token=$("$BENCH_BIN/muster-manager" token --data "$data" --role administrator --expires 2h)
}

# manager_set NAME VALUE: a setting whose default stands as a comment in manager.ini.
manager_set() {
  sed -i "s/^#\?$1 = .*/$1 = $2/" "$data/manager.ini"
  grep -q "^$1 = $2\$" "$data/manager.ini" || fail "manager.ini has no setting $1"
}

# fleet ARGUMENT...: the simulation, its summary in $BENCH_WORK/fleet.json, its lines in fleet.log.
fleet() {
  "$BENCH_BIN/muster-fleet-sim" --server "$url" --ca "$data/ca.pem" --token "$token" --identities "$identities" -o json "$@" \
    >"$BENCH_WORK/fleet.json" 2>"$BENCH_WORK/fleet.log" || { tail -3 "$BENCH_WORK/fleet.log" >&2; return 1; }
}
# fleet_start NAME ARGUMENT...: one of several at once, until stop_all; its identities and lines under its name. Sets fleet_pid.
fleet_start() {
  local name=$1
  shift
  "$BENCH_BIN/muster-fleet-sim" --server "$url" --ca "$data/ca.pem" --token "$token" --identities "$BENCH_WORK/identities.$name" "$@" \
    >/dev/null 2>"$BENCH_WORK/$name.log" &
  fleet_pid=$!
  started+=("$fleet_pid")
}
fleet_number() { jq -r "$1" "$BENCH_WORK/fleet.json"; }
# fleet_connected N [NAME]: at least so many are.
fleet_connected() { awk -v wanted="$1" '/ connected / { split($4, part, "/"); if (part[1] >= wanted) found = 1 } END { exit !found }' "$BENCH_WORK/${2:-fleet}.log"; }

# --- nginx, with the manager's own certificate and authority ----------------
# nginx_start [COMMAND...]: 204 to everything. Sets nginx_pid (the master).
nginx_start() {
  mkdir -p "$BENCH_WORK/nginx"
  cp "$data/front/tls.pem" "$data/front/tls.key" "$data/ca.pem" "$BENCH_WORK/nginx/"
  cat >"$BENCH_WORK/nginx/nginx.conf" <<TEXT
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
user root;
pid $BENCH_WORK/nginx/pid;
error_log $BENCH_WORK/nginx/error.log;
events { worker_connections 19900; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  client_body_temp_path $BENCH_WORK/nginx/body;
  proxy_temp_path $BENCH_WORK/nginx/proxy;
  fastcgi_temp_path $BENCH_WORK/nginx/fastcgi;
  uwsgi_temp_path $BENCH_WORK/nginx/uwsgi;
  scgi_temp_path $BENCH_WORK/nginx/scgi;
  server {
    listen 127.0.0.1:$nginx_port ssl;
    ssl_certificate $BENCH_WORK/nginx/tls.pem;
    ssl_certificate_key $BENCH_WORK/nginx/tls.key;
    ssl_client_certificate $BENCH_WORK/nginx/ca.pem;
    ssl_verify_client on;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / { return 204; }
  }
}
TEXT
  "$@" nginx -c "$BENCH_WORK/nginx/nginx.conf" 2>"$BENCH_WORK/nginx/start.log" &
  nginx_pid=$!
  started+=("$nginx_pid")
  wait_for 10 "nginx" test -s "$BENCH_WORK/nginx/pid"
  wait_for 10 "nginx's worker" pgrep -P "$nginx_pid"
}

# load MODE PORT CLIENTS SECONDS PATH BODY-BYTES: muster-bench-load on the other core.
load() {
  taskset -c "$load_core" "$BENCH_TOOLS/muster-bench-load" "$1" 127.0.0.1 "$2" "$data/ca.pem" "$identities" "$3" "$4" "$5" "$6"
}

# --- processes --------------------------------------------------------------
# family PID: it and its children.
family() {
  local child
  echo "$1"
  for child in $(pgrep -P "$1" || true); do family "$child"; done
}
# cpu_us PID: processor time of a family so far, in microseconds (of ticks of 10 ms).
cpu_us() {
  local pid sum=0
  for pid in $(family "$1"); do
    sum=$((sum + $(awk '{ print $14 + $15 }' "/proc/$pid/stat" 2>/dev/null || echo 0)))
  done
  echo $((sum * 1000000 / $(getconf CLK_TCK)))
}
# pss_kb PID...: proportional set size of families.
pss_kb() {
  local pid one sum=0
  for one in "$@"; do
    for pid in $(family "$one"); do
      sum=$((sum + $(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup" 2>/dev/null || echo 0)))
    done
  done
  echo "$sum"
}
calculate() { awk "BEGIN { printf \"%.6g\", $1 }"; }

# --- results ----------------------------------------------------------------
# result BENCH VALUE UNIT REFERENCE REFERENCE-VALUE [DETAIL-JSON]: a line in the form of doc/contract.md.
result() {
  jq --null-input --compact-output --arg bench "$1" --argjson value "$2" --arg unit "$3" --arg reference "$4" \
    --argjson reference_value "$5" --argjson detail "${6:-{\}}" \
    '{bench: $bench, value: $value, unit: $unit, reference: $reference, reference_value: $reference_value,
      ratio: (if $reference_value == 0 then 0 else $value / $reference_value end), detail: $detail}' >>"$BENCH_OUT/$1.jsonl"
}
