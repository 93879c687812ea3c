/* The rows of specification 15. Constant, trusted; field values are not. */
#include "fleet/event_types.h"

#include <string.h>

#include "base/text.h"
#include "base/units.h"

#define ROW(number, name, origin, severity, spool_class, record, forward, text, ...)                                   \
	{                                                                                                              \
		number, name, EVENT_##origin, EVENT_##severity, EVENT_##spool_class, record, forward, text,            \
		{                                                                                                      \
			__VA_ARGS__                                                                                    \
		}                                                                                                      \
	}

/* clang-format off */
static const struct event_type rows[] = {
	ROW(120, "heartbeat_service_failed", MANAGER, ERROR, STATUS, true, true, "The heartbeat service failed: {cause}.", "cause"),
	ROW(130, "credentials_generated", MANAGER, INFO, STATUS, true, false, "Credentials were generated for {computer}.", "computer"),
	ROW(131, "credentials_failed", MANAGER, ERROR, STATUS, true, true, "Credentials could not be generated for {computer}: {cause}.", "computer", "cause"),
	ROW(191, "alert_changed", MANAGER, INFO, STATUS, true, false, "Alert {alert}: {change} by {user}.", "alert", "change", "user", "type", "subject", "id"),
	ROW(250, "computer_created", MANAGER, INFO, STATUS, true, false, "Computer {name} was created by {user}.", "name", "user"),
	ROW(251, "computer_deleted", MANAGER, INFO, STATUS, true, false, "Computer {name} was deleted by {user}.", "name", "user"),
	ROW(252, "computer_changed", MANAGER, INFO, STATUS, true, false, "Computer {name} was changed by {user}: {change}.", "name", "user", "change"),
	ROW(253, "policy_assigned", MANAGER, INFO, STATUS, true, false, "Policy {policy} was assigned to {name} by {user}.", "name", "policy", "user"),
	ROW(275, "duplicate_computer", MANAGER, WARNING, SECURITY, true, true, "A computer with the name {name} exists already ({address}).", "name", "address"),
	ROW(350, "policy_created", MANAGER, INFO, STATUS, true, false, "Policy {policy} was created by {user}.", "policy", "user"),
	ROW(351, "policy_deleted", MANAGER, INFO, STATUS, true, false, "Policy {policy} was deleted by {user}.", "policy", "user"),
	ROW(352, "policy_changed", MANAGER, INFO, STATUS, true, false, "Policy {policy} was changed by {user}: {change}.", "policy", "user", "change"),
	ROW(353, "policy_reverted", MANAGER, INFO, STATUS, true, false, "Policy {policy} was reverted to version {version} by {user}.", "policy", "version", "user"),
	ROW(354, "policy_restored", MANAGER, INFO, STATUS, true, true, "Policy {policy}, which had been deleted, was restored by {user}.", "policy", "user"),
	ROW(603, "user_locked_out", MANAGER, WARNING, SECURITY, true, true, "User {user} was locked out after {count} refused sign-ins from {address}.", "user", "count", "address"),
	ROW(650, "user_created", MANAGER, INFO, SECURITY, true, true, "User {name} was created by {user} with the role {role}.", "name", "user", "role"),
	ROW(651, "user_deleted", MANAGER, INFO, SECURITY, true, true, "User {name} was deleted by {user}.", "name", "user"),
	ROW(652, "user_changed", MANAGER, INFO, SECURITY, true, true, "User {name} was changed by {user}: {change}.", "name", "user", "change"),
	ROW(660, "signed_in", MANAGER, INFO, SECURITY, true, false, "{user} signed in from {address}.", "user", "address"),
	ROW(664, "sign_in_refused", MANAGER, WARNING, SECURITY, true, true, "A sign-in as {user} from {address} was refused: {cause}.", "user", "address", "cause"),
	ROW(704, "computer_activated", MANAGER, INFO, STATUS, true, false, "Computer {name} was activated from {address}.", "name", "address"),
	ROW(705, "activation_failed", MANAGER, WARNING, SECURITY, true, true, "An activation from {address} failed: {cause}.", "name", "address", "cause"),
	ROW(708, "computer_deactivated", MANAGER, INFO, STATUS, true, false, "Computer {name} was deactivated by {user}.", "name", "user"),
	ROW(716, "unknown_reactivated", MANAGER, INFO, STATUS, true, true, "An unknown agent was reactivated as {name}.", "name", "address"),
	ROW(717, "clone_rekeyed", MANAGER, WARNING, SECURITY, true, true, "Two agents had one identity; the second one ({host}) is given one of its own.", "host", "session"),
	ROW(718, "computer_moved", MANAGER, INFO, SECURITY, true, true, "The computer {name} moved to {manager}.", "name", "manager"),
	ROW(719, "computer_uninstalled", MANAGER, WARNING, SECURITY, true, true, "The agent of the computer {name} was uninstalled.", "name", "fingerprint"),
	ROW(720, "policy_sent", MANAGER, INFO, ROUTINE, true, false, "The configuration was sent.", "fingerprint"),
	ROW(721, "policy_send_failed", MANAGER, ERROR, STATUS, true, true, "The configuration could not be sent: {cause}.", "cause"),
	ROW(730, "computer_offline", MANAGER, WARNING, STATUS, true, true, "The computer is offline: {cause}.", "cause", "last_heard"),
	ROW(731, "computer_online", MANAGER, INFO, STATUS, true, true, "The computer is back online.", "silent_s"),
	ROW(732, "vm_stopped", MANAGER, INFO, STATUS, true, true, "The computer's virtual machine is shut off (offline error: {offline_error}).", "offline_error"),
	ROW(733, "vm_not_stopped", MANAGER, INFO, STATUS, true, true, "The computer's virtual machine is not shut off any more: {cause}.", "cause"),
	ROW(734, "computer_clock_change", MANAGER, WARNING, SECURITY, true, true, "The computer's clock is off by {offset_s} s (it was {before_s} s).", "offset_s", "before_s"),
	ROW(735, "computer_not_watched", MANAGER, INFO, STATUS, true, true, "The computer is not offline any more: {cause}.", "cause"),
	ROW(742, "communication_problem", MANAGER, WARNING, STATUS, true, true, "There is a problem in communicating with the computer: {cause}.", "cause"),
	ROW(743, "communication_resolved", MANAGER, INFO, STATUS, true, false, "The communication problem is resolved.", "cause"),
	ROW(762, "version_mismatch", MANAGER, WARNING, STATUS, true, true, "The agent's version {version} does not fit the manager's.", "version"),
	ROW(770, "heartbeat_rejected", MANAGER, WARNING, SECURITY, true, true, "A heartbeat was rejected: {cause}.", "cause", "address"),
	ROW(771, "unrecognised_agent", MANAGER, WARNING, SECURITY, true, true, "An unrecognised agent made contact from {address}.", "address", "fingerprint"),
	ROW(930, "certificate_accepted", MANAGER, INFO, SECURITY, true, false, "Certificate {fingerprint} was accepted.", "fingerprint", "user"),
	ROW(931, "certificate_deleted", MANAGER, INFO, SECURITY, true, false, "Certificate {fingerprint} was deleted.", "fingerprint", "user"),
	ROW(932, "key_created", MANAGER, INFO, SECURITY, true, true, "A server authentication key was created ({fingerprint}).", "fingerprint", "user"),
	ROW(933, "key_rolled_over", MANAGER, INFO, SECURITY, true, true, "The server authentication key was rolled over to {fingerprint}.", "fingerprint", "before", "user"),
	ROW(934, "key_restored", MANAGER, INFO, SECURITY, true, true, "The server authentication key {fingerprint} was restored.", "fingerprint", "before", "user"),
	ROW(935, "certificate_expires", MANAGER, WARNING, SECURITY, true, true, "{what} expires on {expires}.", "what", "expires", "stage"),
	ROW(936, "certificate_renewed", MANAGER, INFO, ROUTINE, true, false, "The certificate of {what} was renewed; it holds until {expires}.", "what", "expires"),
	ROW(937, "authority_prepared", MANAGER, INFO, SECURITY, true, true, "A certificate authority was made that is to follow the present one ({fingerprint}); agents are given its root. Back the keys up again.", "fingerprint", "user"),
	ROW(938, "authority_turned", MANAGER, INFO, SECURITY, true, true, "Certificates are issued by authority {fingerprint} from now on. Back the keys up again.", "fingerprint", "user"),
	ROW(939, "authority_missing", MANAGER, ERROR, SECURITY, true, true, "No certificate can be issued or renewed: the key of the certificate authority cannot be used ({cause}). Put keys/ca.key back, or restore it from a backup: muster cert restore FILE.", "cause"),
	ROW(940, "authority_back", MANAGER, INFO, SECURITY, true, true, "Certificates can be issued and renewed again, by authority {fingerprint}.", "fingerprint"),
	ROW(941, "key_file_lost", MANAGER, ERROR, SECURITY, true, true, "The file of a key of the manager is not as it was left: {cause}. The key is in the manager's memory alone, and lost with its next start. Back it up now (muster cert backup FILE), then have the file written anew (muster cert rewrite), or put {file} back.", "file", "cause"),
	ROW(942, "key_file_back", MANAGER, INFO, SECURITY, true, true, "The file {file} holds the manager's key again.", "file"),
	ROW(1000, "engine_not_loaded", AGENT, ERROR, STATUS, true, true, "The scan engine could not be loaded: {cause}.", "cause"),
	ROW(1010, "engine_loaded", AGENT, INFO, ROUTINE, true, false, "The scan engine was loaded: {signatures} signatures, version {version}, in {seconds} s.", "signatures", "version", "seconds", "source"),
	ROW(1011, "engine_self_test_failed", AGENT, ERROR, SECURITY, true, true, "The scan engine failed its self-test and gives no verdicts: {cause}.", "cause"),
	ROW(1200, "command_issued", MANAGER, INFO, ROUTINE, true, false, "{user} issued the command {kind}.", "command", "kind", "user", "computers"),
	ROW(1201, "command_finished", MANAGER, INFO, ROUTINE, true, false, "The command {kind} ended: {state}.", "command", "kind", "state", "code"),
	ROW(1202, "command_timed_out", MANAGER, WARNING, STATUS, true, true, "The command {kind} timed out after {timeout_s} s; it was {state}.", "command", "kind", "state", "timeout_s"),
	ROW(1300, "quarantine_store_full", MANAGER, ERROR, STATUS, true, true, "The quarantine store is full: {done}.", "done", "capacity"),
	ROW(1310, "destination_failing", MANAGER, WARNING, STATUS, true, true, "Nothing can be delivered to {destination}: {cause}.", "destination", "cause"),
	ROW(1311, "destination_works", MANAGER, INFO, STATUS, true, true, "{destination} takes deliveries again.", "destination"),
	ROW(1312, "destination_test", MANAGER, INFO, ROUTINE, true, false, "A test message for {destination}, asked for by {user}.", "destination", "user"),
	ROW(1313, "events_undelivered", MANAGER, ERROR, STATUS, true, true, "{count} events were removed before {destination} got them: it took no deliveries for longer than they are kept.", "destination", "count"),
	ROW(1320, "hypervisor_failing", MANAGER, WARNING, STATUS, true, true, "The hypervisor {hypervisor} cannot be asked: {cause}.", "hypervisor", "cause"),
	ROW(1321, "hypervisor_works", MANAGER, INFO, STATUS, true, true, "The hypervisor {hypervisor} answers again.", "hypervisor"),
	ROW(2000, "malware_detected", AGENT, WARNING, SECURITY, true, true, "{detection} was found in {file}; {action}: {result}.", "file", "detection", "action", "result", "sha256", "size", "user", "process", "item", "command"),
	ROW(2001, "not_fully_scanned", AGENT, WARNING, STATUS, true, true, "{file} was not fully scanned: {limit}.", "file", "limit", "command"),
	ROW(2002, "scan_started", AGENT, INFO, ROUTINE, true, false, "A scan started ({origin}).", "command", "origin", "paths"),
	ROW(2003, "scan_finished", AGENT, INFO, ROUTINE, true, false, "The scan finished: {files} files, {bytes} bytes in {seconds} s, {detections} detections.", "command", "files", "bytes", "seconds", "detections", "not_fully_scanned", "errors"),
	ROW(2004, "scan_cancelled", AGENT, INFO, ROUTINE, true, false, "The scan was cancelled after {files} files.", "command", "files", "bytes", "seconds", "detections"),
	ROW(2005, "scan_failed", AGENT, ERROR, STATUS, true, true, "The scan failed: {cause}.", "command", "cause", "files"),
	ROW(2006, "scan_worker_failed", AGENT, ERROR, SECURITY, true, true, "A scan worker {what} on {file}.", "file", "what", "command"),
	ROW(2010, "real_time_on", AGENT, INFO, STATUS, true, true, "Real-time protection is on ({mode}).", "mode"),
	ROW(2011, "real_time_off", AGENT, WARNING, SECURITY, true, true, "Real-time protection is off: {cause}.", "cause"),
	ROW(2012, "real_time_lost", AGENT, ERROR, SECURITY, true, true, "Real-time protection lost its watch on {path}: {cause}.", "path", "cause"),
	ROW(2020, "file_quarantined", AGENT, INFO, SECURITY, true, true, "{file} was put into quarantine ({detection}).", "file", "detection", "item", "sha256", "size"),
	ROW(2021, "file_restored", AGENT, INFO, SECURITY, true, true, "{file} was restored from quarantine.", "file", "item", "detection"),
	ROW(2022, "quarantined_file_deleted", AGENT, INFO, SECURITY, true, true, "{file} was deleted from quarantine.", "file", "item", "detection"),
	ROW(2023, "quarantined_file_not_sent", AGENT, WARNING, STATUS, true, true, "The quarantined file {file} could not be sent: {cause}.", "file", "item", "cause"),
	ROW(3000, "firewall_rule_matched", AGENT, INFO, ROUTINE, true, true, "Firewall rule {rule} matched.", "rule", "action", "direction", "protocol", "source", "destination"),
	ROW(4002, "command_session", AGENT, INFO, ROUTINE, true, false, "Command session with {address}.", "address"),
	ROW(4003, "configuration_session", AGENT, INFO, ROUTINE, true, false, "Configuration session with {address}.", "address"),
	ROW(4004, "command_received", AGENT, INFO, ROUTINE, true, false, "The command {kind} was received.", "command", "kind"),
	ROW(4011, "manager_unreachable", AGENT, WARNING, STATUS, true, true, "The manager cannot be contacted: {cause}.", "cause", "code"),
	ROW(4012, "heartbeat_failed", AGENT, WARNING, STATUS, true, true, "The heartbeat failed: {cause}.", "cause", "code"),
	ROW(4013, "listener_failed", AGENT, WARNING, STATUS, true, true, "The agent cannot listen on port {port}: {cause}.", "cause", "port", "code"),
	ROW(4020, "configuration_applied", AGENT, INFO, ROUTINE, true, false, "The configuration was applied.", "fingerprint"),
	ROW(4021, "configuration_refused", AGENT, ERROR, STATUS, true, true, "The configuration was refused and the last good one kept: {cause}.", "cause", "fingerprint"),
	ROW(4030, "communication_unverified", AGENT, ERROR, SECURITY, true, true, "A communication from the manager did not verify: {cause}.", "cause", "code", "count"),
	ROW(4031, "trusted_key_replaced", AGENT, INFO, SECURITY, true, true, "The agent trusts another server authentication key, {fingerprint} ({how}).", "fingerprint", "before", "how"),
	ROW(4040, "identity_changed", AGENT, WARNING, SECURITY, true, true, "The agent has another identity now: it is the computer {computer} of {manager}.", "computer", "manager"),
	ROW(5000, "agent_started", AGENT, INFO, STATUS, true, false, "The agent started, version {version}.", "version"),
	ROW(5003, "agent_stopped", AGENT, INFO, STATUS, true, true, "The agent stopped.", "cause"),
	ROW(5004, "clock_changed", AGENT, WARNING, SECURITY, true, true, "The system clock was changed by {seconds} s.", "seconds"),
	ROW(5010, "role_restarted", AGENT, WARNING, STATUS, true, true, "The role {role} was restarted: {cause}.", "role", "cause"),
	ROW(5020, "unload_password_refused", AGENT, WARNING, SECURITY, true, true, "A wrong unload password was given to {action} by {user}.", "action", "user"),
	ROW(6009, "events_dropped", AGENT, ERROR, SECURITY, true, true, "{count} events of class {class} were dropped: the spool is full.", "class", "count"),
	ROW(6010, "log_damaged", AGENT, ERROR, SECURITY, true, true, "The file {log} was damaged: {bytes} bytes in {places} places were left out.", "log", "bytes", "places"),
	ROW(6012, "low_disk_space", AGENT, WARNING, STATUS, true, true, "Disk space is low on {path}: {free} bytes are free.", "path", "free"),
	ROW(6013, "disk_space_enough", AGENT, INFO, STATUS, true, true, "There is enough disk space on {path} again: {free} bytes are free.", "path", "free"),
};
/* clang-format on */

const struct event_type *event_type_find(uint32_t number)
{
	size_t low = 0, high = COUNT_OF(rows);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rows[middle].number == number)
			return &rows[middle];
		if (rows[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct event_type *event_types(size_t *ret_count)
{
	*ret_count = COUNT_OF(rows);
	return rows;
}

const char *event_severity_name(enum event_severity severity)
{
	static const char *const names[] = { "info", "warning", "error" };

	return names[severity];
}

enum event_severity event_severity_of(const char *name)
{
	enum event_severity severity = EVENT_ERROR;

	while (severity > EVENT_INFO && strcmp(event_severity_name(severity), name) != 0)
		severity--;
	return severity;
}

static void append_field(const char *name, size_t name_size, const struct event_field *fields, size_t count,
			 struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(fields[i].name) == name_size && memcmp(fields[i].name, name, name_size) == 0) {
			text_escape(out, fields[i].value.data, fields[i].value.size);
			return;
		}
	}
	buf_append_byte(out, '-');
}

void event_text(const struct event_type *type, const struct event_field *fields, size_t count, struct buf *out)
{
	const char *at = type->text;

	while (*at != '\0') {
		const char *open = strchr(at, '{');
		const char *close = open != NULL ? strchr(open, '}') : NULL;

		if (close == NULL) {
			buf_append_text(out, at);
			return;
		}
		buf_append(out, at, (size_t)(open - at));
		append_field(open + 1, (size_t)(close - open - 1), fields, count, out);
		at = close + 1;
		/* A value that is a sentence brings its own full stop. */
		if (*at == '.' && out->size > 0 && out->data[out->size - 1] == '.')
			at++;
	}
}
