#!/bin/sh
# Installs, updates and starts Muster's agent on this computer.
#
# A manager serves this script to the line that `muster deployment script` prints.
# That line has compared the fingerprint of the manager's CA before it fetched
# this; everything below is fetched with that CA alone (ca.pem in the working
# directory). It may be run again at any time: an agent that is there keeps its
# identity, another version of its programs is replaced, the same one is left.
#
# Set by the line:
#   MUSTER_MANAGER           https://HOST:PORT
#   MUSTER_CA_FINGERPRINT    SHA-256 of the manager's CA certificate
#   MUSTER_ENROLMENT_TOKEN   what the agent enrols with; not needed for an update
# May be set by whoever runs it:
#   MUSTER_PREFIX    where the programs go (/opt/muster-agent)
#   MUSTER_DATA      the agent's data directory (/var/lib/muster-agent)
#   MUSTER_BIN       where a link to muster-agent goes (/usr/local/bin); empty: none
#   MUSTER_SERVICE   systemd, plain (started here and now, not at boot), none (not started);
#                    auto is systemd where it runs, else plain
#   MUSTER_UNIT      the service's unit (/etc/systemd/system/muster-agent.service)
#   MUSTER_NAME      the computer's name (its host name)
#   MUSTER_WAIT      seconds to wait for the agent's first contact (60)
#   MUSTER_REPORT    not empty: a last line "muster-result STATE VERSION COMPUTER NAME" for programs
# Arguments: --quiet says nothing unless something was changed or failed, and ends
# at once when another run is under way (login scripts, cron).
#
# Exits 0 done, 1 failed. Whatever fails leaves what ran before running.

fail() {
	printf 'muster: %s\n' "$*" >&2
	exit 1
}

say() {
	[ -n "$quiet" ] || printf '==> %s\n' "$*"
}

# What was changed is said even where nothing else is.
tell() {
	printf '==> %s\n' "$*"
}

have() {
	command -v "$1" >/dev/null 2>&1
}

# --- what this computer is ---------------------------------------------------

check_computer() {
	[ "$(id -u)" = 0 ] || fail "installing an agent needs root: run the line in a root shell (sudo -s, or su -), or install with --sudo over SSH"
	[ "$(uname -s)" = Linux ] || fail "this script is for Linux, and this is $(uname -s)"
	missing=
	for program in tar gzip sha256sum mktemp flock df; do
		have "$program" || missing="$missing $program"
	done
	[ -z "$missing" ] || fail "these programs are missing:$missing"
	have curl || have wget || fail "curl or wget is needed to fetch from the manager: install one of them"
	for variable in MUSTER_MANAGER MUSTER_CA_FINGERPRINT; do
		eval "[ -n \"\${$variable:-}\" ]" || fail "$variable is not set: run the whole line that muster deployment script printed"
	done
	[ -s ca.pem ] || fail "ca.pem is not here: run the whole line that muster deployment script printed"
	platform=linux-$(uname -m)
}

# --- fetching ----------------------------------------------------------------

# What the manager says in a problem document, or else the status.
refusal() {
	detail=$(sed -n 's/.*"detail" *: *"\([^"]*\)".*/\1/p' "$1" 2>/dev/null | head -n 1)
	printf '%s' "${detail:-the manager answered with status $2}"
}

# fetch PATH FILE WHAT: with the CA that the line has checked.
fetch() {
	if have curl; then
		status=$(curl -qsS --retry 3 --connect-timeout 20 --speed-limit 100 --speed-time 60 --cacert ca.pem \
			-o "$2" -w '%{http_code}' "$MUSTER_MANAGER$1") ||
			fail "$3 could not be fetched from $MUSTER_MANAGER (curl says above why; a full disk or a broken connection among others)"
		[ "$status" = 200 ] || fail "$3: $(refusal "$2" "$status")"
	else
		wget -nv --tries=3 --timeout=60 --ca-certificate=ca.pem -O "$2" "$MUSTER_MANAGER$1" ||
			fail "$3 could not be fetched from $MUSTER_MANAGER (wget says above why; 404 means that the manager has none for $platform)"
	fi
}

# fact NAME FILE: a value of a manifest, which is "NAME VALUE" a line.
fact() {
	sed -n "s/^$1 //p" "$2" | head -n 1
}

number() {
	case $1 in
	'' | *[!0-9]*) return 1 ;;
	esac
}

# --- installing --------------------------------------------------------------

# Only one at a time. Descriptor 9 is closed for what stays running.
take_lock() {
	mkdir -p "$prefix" || fail "$prefix could not be made"
	exec 9>"$prefix/.lock" || fail "$prefix/.lock could not be opened"
	flock -n 9 && return
	[ -z "$quiet" ] || exit 0
	say "Waiting for another installation that is under way"
	flock -w 600 9 || fail "another installation has been under way for ten minutes"
}

clean_up() {
	rm -rf "$prefix/.new" "$prefix/.new.tar.gz" "$prefix/.current"
}

read_manifest() {
	fetch "/agent/v1/manifests/$platform" manifest "what the manager has for $platform"
	version=$(fact version manifest) sha256=$(fact sha256 manifest)
	bytes=$(fact bytes manifest) unpacked=$(fact unpacked manifest)
	if ! number "$bytes" || ! number "$unpacked" || [ ${#sha256} -ne 64 ] || [ -z "$version" ]; then
		fail "the manager's answer about the package for $platform is not understood; is it a newer manager?"
	fi
}

# The archive, what is unpacked of it, and some room for the agent to begin with.
check_room() {
	needed=$(((bytes + unpacked) / 1024 + 4096))
	room=$(df -Pk "$prefix" | awk 'NR == 2 { print $4 }')
	number "$room" || return 0
	[ "$room" -ge "$needed" ] || fail "$prefix has $room KiB left, and $needed KiB are needed: make room on that disk, or choose another with MUSTER_PREFIX"
}

# Programs of other distributions may want libraries that are not here.
check_runs() {
	"$new/bin/muster-agent" --version >runs 2>&1 9>&- && return
	if have apt-get && [ -s "$new/requires" ] && grep -q 'shared librar' runs; then
		say "Installing libraries: $(tr '\n' ' ' <"$new/requires")"
		# shellcheck disable=SC2046 # a word a package
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(cat "$new/requires") >apt.log 2>&1 9>&- ||
			{ tail -n 3 apt.log >&2; fail "the libraries that the agent needs could not be installed: $(tr '\n' ' ' <"$new/requires")"; }
		"$new/bin/muster-agent" --version >runs 2>&1 9>&- && return
	fi
	fail "the agent does not run on this computer: $(head -n 1 runs)"
}

unpack() {
	new=$prefix/.new
	mkdir "$new" || fail "$new could not be made"
	say "Fetching the agent $version for $platform ($((bytes / 1024)) KiB)"
	fetch "/agent/v1/packages/$platform" "$new.tar.gz" "the package"
	[ "$(sha256sum <"$new.tar.gz" | cut -c 1-64)" = "$sha256" ] ||
		fail "the package that came is not the one that the manager speaks of (its SHA-256 differs): nothing was installed"
	tar -xzof "$new.tar.gz" -C "$new" || fail "the package could not be unpacked into $prefix; is the disk full?"
	rm -f "$new.tar.gz"
	printf '%s' "$sha256" >"$new/sha256" || fail "$prefix could not be written; is the disk full?"
	check_runs
}

# The link is renamed over the old one: there is a whole version at every moment.
point_to() {
	ln -sfn "$1" "$prefix/.current" && mv -fT "$prefix/.current" "$prefix/current" ||
		fail "$prefix/current could not be set"
}

install_programs() {
	before=$(readlink "$prefix/current" 2>/dev/null)
	if [ -n "$before" ] && [ "$(cat "$prefix/current/sha256" 2>/dev/null)" = "$sha256" ]; then
		say "The agent $version is installed already"
		return
	fi
	check_room
	unpack
	name=versions/$(printf '%s' "$sha256" | cut -c 1-16)
	mkdir -p "$prefix/versions" && rm -rf "${prefix:?}/$name" && mv "$new" "$prefix/$name" ||
		fail "$prefix/$name could not be made"
	point_to "$name"
	state=installed
	[ -z "$before" ] || state=updated
}

# Goes back when the new version does not do; once.
go_back() {
	if [ "$state" = updated ] && [ -n "$before" ] && [ -d "$prefix/$before" ]; then
		point_to "$before"
		[ -z "$running" ] || { stop_agent; start_agent; }
		fail "$1; the version before is in place again"
	fi
	fail "$1"
}

link_program() {
	[ -n "$bin" ] || return 0
	if [ -e "$bin/muster-agent" ] && [ ! -L "$bin/muster-agent" ]; then
		say "$bin/muster-agent is not ours and stays"
		return
	fi
	mkdir -p "$bin" && ln -sfn "$prefix/current/bin/muster-agent" "$bin/muster-agent" ||
		fail "$bin/muster-agent could not be made"
}

# What muster-agent uninstall takes back.
write_record() {
	printf 'data %s\nbin %s\nunit %s\n' "$data" "$bin" "$unit" >"$prefix/installation.new" &&
		mv -f "$prefix/installation.new" "$prefix/installation" || fail "$prefix/installation could not be written"
}

# --- the agent ---------------------------------------------------------------

agent() {
	word=$1
	shift
	"$prefix/current/bin/muster-agent" "$word" "$@" --data "$data" 9>&-
}

# What came with the package is for computers that get their signatures from nowhere else.
give_signatures() {
	mkdir -p "$data/signatures" || return 0
	if [ -z "$(ls -A "$data/signatures")" ] && [ -d "$prefix/current/signatures" ]; then
		cp "$prefix"/current/signatures/* "$data/signatures/" || fail "$data/signatures could not be written; is the disk full?"
	fi
}

activate() {
	if [ -z "${MUSTER_ENROLMENT_TOKEN:-}" ]; then
		[ -e "$data/identity/computer.json" ] || fail "MUSTER_ENROLMENT_TOKEN is not set, and this computer has not been activated before"
		return
	fi
	[ -e "$data/identity/computer.json" ] || [ "$state" = updated ] || state=installed
	set -- activate "$MUSTER_MANAGER" --token - --ca-fingerprint "$MUSTER_CA_FINGERPRINT"
	[ -z "${MUSTER_NAME:-}" ] || set -- "$@" --name "$MUSTER_NAME"
	printf '%s\n' "$MUSTER_ENROLMENT_TOKEN" | agent "$@" >activated 2>&1 ||
		fail "the agent is installed and could not be activated: $(sed 's/^muster-agent: //' activated | head -n 1)"
	say "$(head -n 1 activated)"
}

choose_service() {
	[ "$service" = auto ] || return 0
	service=plain
	[ ! -d /run/systemd/system ] || service=systemd
}

unit=${MUSTER_UNIT:-/etc/systemd/system/muster-agent.service}
unit_text() {
	cat <<TEXT
[Unit]
Description=Muster agent
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=$prefix/current/bin/muster-agent run --data $data
# Ended in good order (muster-agent stop, with the unload password where there is one) it stays ended; killed, it comes back.
Restart=on-failure
RestartSec=5
TimeoutStopSec=60
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
TEXT
}

# Whether each of its lines is one that this script writes, or that an earlier one wrote: else somebody has changed it.
unit_is_ours() {
	{ unit_text && echo Restart=always; } >unit.lines
	! grep -vxFf unit.lines "$unit" >unit.others
}

reload_units() {
	systemctl daemon-reload 9>&- || fail "$unit is written anew, and systemctl daemon-reload failed"
	tell "$unit is written anew"
}

# Written by a run that was cut off before systemd was told.
is_not_loaded() {
	[ "$(systemctl show -p NeedDaemonReload muster-agent.service 2>/dev/null 9>&-)" = NeedDaemonReload=yes ]
}

# What an earlier version of this script wrote is written anew, and holds without a restart of the agent.
write_unit() {
	new_unit=
	if [ -e "$unit" ]; then
		[ "$(cat "$unit")" != "$(unit_text)" ] || {
			! is_not_loaded || reload_units
			return 0
		}
		unit_is_ours || {
			say "$unit was changed here ($(head -n 1 unit.others)) and stays as it is"
			return 0
		}
		new_unit=1
	fi
	unit_text >"$unit.new" && mv -f "$unit.new" "$unit" || fail "$unit could not be written"
	[ -z "$new_unit" ] || reload_units
}

is_running() {
	agent status >/dev/null 2>&1
}

# An unload password is for people at the agent's own command: a service manager, and whoever stands for one, ends the
# process.
stop_plain() {
	agent status -o json >running 2>/dev/null || return 0
	if grep -q '"unload_password": *true' running; then
		pid=$(sed -n 's/.*"pid": *\([0-9][0-9]*\).*/\1/p' running | head -n 1)
		[ -z "$pid" ] || kill "$pid"
	else
		agent stop >stopped 2>&1
	fi
}

stop_agent() {
	case $service in
	systemd) systemctl stop muster-agent.service 9>&- || return 1 ;;
	plain) stop_plain || true ;;
	esac
	for _ in $(seq 120); do
		is_running || return 0
		sleep 0.5
	done
	return 1
}

start_agent() {
	case $service in
	systemd)
		systemctl daemon-reload 9>&- && systemctl enable --quiet muster-agent.service 9>&- &&
			systemctl start muster-agent.service 9>&-
		;;
	plain)
		setsid "$prefix/current/bin/muster-agent" run --data "$data" >>"$data/agent.log" 2>&1 </dev/null 9>&- &
		;;
	esac
}

# The agent that runs may have been started from the version before, or not at all.
run_agent() {
	running=
	[ "$service" != none ] || return 0
	[ "$service" != systemd ] || write_unit
	if is_running; then
		running=1
		[ "$state" = updated ] || return 0
		say "Restarting the agent"
		stop_agent || go_back "the agent that runs could not be stopped ($(head -n 1 stopped 2>/dev/null))"
	fi
	[ "$state" != unchanged ] || state=started
	say "Starting the agent"
	start_agent || go_back "the agent could not be started"
	[ "$service" = systemd ] || say "Nothing starts it at boot here: see to that, with $prefix/current/bin/muster-agent run --data $data"
}

wait_connected() {
	[ "$service" != none ] || return 0
	end=$(($(date +%s) + ${MUSTER_WAIT:-60}))
	until agent status -o json 2>/dev/null | grep -q '"connected": *true'; do
		if [ "$(date +%s)" -ge "$end" ]; then
			is_running || go_back "the agent does not stay running; see its log"
			fail "the agent is installed and runs, and has not reached the manager within ${MUSTER_WAIT:-60} s; it goes on trying (muster-agent status)"
		fi
		sleep 0.5
	done
}

remove_old() {
	current=$(readlink "$prefix/current")
	for each in "$prefix"/versions/*; do
		case versions/${each##*/} in
		"$current" | "$before") ;;
		*) rm -rf "$each" ;;
		esac
	done
}

# What stands in computer.json, without a program that reads JSON.
identity() {
	sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p" "$data/identity/computer.json" 2>/dev/null | head -n 1
}

report() {
	case $state in
	unchanged) say "Nothing to do: the agent $version is installed and runs" ;;
	started) tell "The agent $version was installed already and is started" ;;
	*) tell "The agent $version is $state; this computer is $(identity name) at $MUSTER_MANAGER" ;;
	esac
	[ -z "${MUSTER_REPORT:-}" ] || printf 'muster-result %s %s %s %s\n' "$state" "$version" "$(identity id)" "$(identity name)"
}

main() {
	quiet=
	[ "${1:-}" != --quiet ] || quiet=1
	umask 022
	prefix=${MUSTER_PREFIX:-/opt/muster-agent} data=${MUSTER_DATA:-/var/lib/muster-agent}
	bin=${MUSTER_BIN-/usr/local/bin} service=${MUSTER_SERVICE:-auto}
	state=unchanged before=
	check_computer
	take_lock
	clean_up
	trap clean_up EXIT
	read_manifest
	install_programs
	link_program
	write_record
	give_signatures
	activate
	choose_service
	run_agent
	wait_connected
	remove_old
	report
}

main "$@"
exit
