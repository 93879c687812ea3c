/* The table of requests, and finding a row. Paths are untrusted: compared, never interpreted further. */
#include "manager/api/routes.h"

#include <stdio.h>
#include <string.h>

#include "manager/api/shapes.h"

#define V1     "/api/v1"
#define JSON   "application/json"
#define TEXT   "text/plain; version=0.0.4; charset=utf-8"
#define PEM    "application/x-pem-file"
#define ZIP    "application/zip"
#define EVENTS "text/event-stream"

/* clang-format off */
const struct api_route api_routes[] = {
	{ "POST", V1 "/sessions", ACCESS_ANYBODY, 0, "sessions", "Sign in with a user's name and password",
	  &shape_no_query, &shape_sign_in, 201, JSON, &shape_session, OPERATION_session_begin },
	{ "GET", V1 "/sessions/current", ACCESS_OWN, 0, "sessions", "Who am I, and what may I do",
	  &shape_no_query, NULL, 200, JSON, &shape_principal, OPERATION_session_show },
	{ "DELETE", V1 "/sessions/current", ACCESS_OWN, 0, "sessions", "Sign out: the token used ends",
	  &shape_no_query, NULL, 204, NULL, NULL, OPERATION_session_end },

	{ "GET", V1 "/computers", ACCESS_READ, 0, "computers", "List computers by name",
	  &shape_computers_query, NULL, 200, JSON, &shape_computers, OPERATION_computer_list },
	{ "POST", V1 "/computers", ACCESS_ADMINISTER, 0, "computers", "Make a computer known before its agent is activated: whoever activates under its name becomes it",
	  &shape_no_query, &shape_computer_request, 201, JSON, &shape_computer, OPERATION_computer_add },
	{ "POST", V1 "/computers/activations", ACCESS_ADMINISTER, 0, "computers", "Dial an agent that was prepared for this manager, and make its computer ours; the same again changes nothing",
	  &shape_no_query, &shape_activation_request, 200, JSON, &shape_computer, OPERATION_computer_activate },
	{ "POST", V1 "/computers/verify", ACCESS_OPERATE, ROUTE_IDEMPOTENT, "computers", "Verify now who is there: computers that hold a connection are asked, and answer or are silent",
	  &shape_no_query, &shape_verification_request, 201, JSON, &shape_verification, OPERATION_verification_begin },
	{ "GET", V1 "/verifications", ACCESS_READ, 0, "computers", "List verifications, newest first",
	  &shape_page_query, NULL, 200, JSON, &shape_verifications, OPERATION_verification_list },
	{ "GET", V1 "/verifications/{id}", ACCESS_READ, 0, "computers", "Show how far a verification is",
	  &shape_no_query, NULL, 200, JSON, &shape_verification, OPERATION_verification_show },
	{ "GET", V1 "/verifications/{id}/results", ACCESS_READ, 0, "computers", "What came of each computer, by name",
	  &shape_verification_results_query, NULL, 200, JSON, &shape_verification_results, OPERATION_verification_results },
	{ "GET", V1 "/computers/{id}", ACCESS_READ, 0, "computers", "Show a computer",
	  &shape_no_query, NULL, 200, JSON, &shape_computer, OPERATION_computer_show },
	{ "PUT", V1 "/computers/{id}/dial-address", ACCESS_ADMINISTER, 0, "computers", "Say where the manager dials a computer",
	  &shape_no_query, &shape_dial_address_request, 200, JSON, &shape_computer, OPERATION_computer_dial_address },
	{ "DELETE", V1 "/computers/{id}", ACCESS_ADMINISTER, 0, "computers", "Delete a computer and revoke its certificate",
	  &shape_no_query, NULL, 204, NULL, NULL, OPERATION_computer_delete },
	{ "POST", V1 "/computers/{id}/deactivate", ACCESS_ADMINISTER, 0, "computers", "End a computer's membership at once: its agent is refused until it is reactivated",
	  &shape_no_query, &shape_nothing, 200, JSON, &shape_computer, OPERATION_computer_deactivate },
	{ "POST", V1 "/computers/{id}/reactivate", ACCESS_ADMINISTER, 0, "computers", "Let a deactivated computer's agent in again",
	  &shape_no_query, &shape_nothing, 200, JSON, &shape_computer, OPERATION_computer_reactivate },
	{ "POST", V1 "/computers/{id}/revoke", ACCESS_ADMINISTER, 0, "computers", "Revoke a computer's certificate at once and for good: its agent has to be activated anew",
	  &shape_no_query, &shape_nothing, 200, JSON, &shape_computer, OPERATION_computer_revoke },
	{ "POST", V1 "/computers/{id}/commands", ACCESS_OPERATE, ROUTE_IDEMPOTENT, "commands", "Tell a computer to do something",
	  &shape_no_query, &shape_command_request, 201, JSON, &shape_command, OPERATION_command_create },

	{ "POST", V1 "/commands", ACCESS_OPERATE, ROUTE_IDEMPOTENT, "commands", "Tell several computers to do something",
	  &shape_no_query, &shape_commands_request, 201, JSON, &shape_issued_commands, OPERATION_command_create_many },
	{ "GET", V1 "/commands", ACCESS_READ, 0, "commands", "List commands, newest first",
	  &shape_commands_query, NULL, 200, JSON, &shape_commands, OPERATION_command_list },
	{ "GET", V1 "/commands/{id}", ACCESS_READ, 0, "commands", "Show a command with its progress and result",
	  &shape_no_query, NULL, 200, JSON, &shape_command, OPERATION_command_show },
	{ "POST", V1 "/commands/{id}/cancel", ACCESS_OPERATE, ROUTE_IDEMPOTENT, "commands", "Cancel a command that has not ended",
	  &shape_no_query, &shape_nothing, 201, JSON, &shape_command, OPERATION_command_cancel },
	{ "POST", V1 "/commands/{id}/pause", ACCESS_OPERATE, ROUTE_IDEMPOTENT, "commands", "Pause a scan",
	  &shape_no_query, &shape_nothing, 201, JSON, &shape_command, OPERATION_command_pause },
	{ "POST", V1 "/commands/{id}/resume", ACCESS_OPERATE, ROUTE_IDEMPOTENT, "commands", "Resume a paused scan",
	  &shape_no_query, &shape_nothing, 201, JSON, &shape_command, OPERATION_command_resume },

	{ "GET", V1 "/events", ACCESS_READ, 0, "events", "List events, newest first",
	  &shape_events_query, NULL, 200, JSON, &shape_events, OPERATION_event_list },
	{ "GET", V1 "/events/stream", ACCESS_READ, ROUTE_STREAM, "events", "Follow events as they arrive (server-sent events)",
	  &shape_stream_query, NULL, 200, EVENTS, NULL, OPERATION_event_stream },
	{ "GET", V1 "/events/{id}", ACCESS_READ, 0, "events", "Show an event",
	  &shape_no_query, NULL, 200, JSON, &shape_event, OPERATION_event_show },

	{ "GET", V1 "/event-types", ACCESS_READ, 0, "events", "List types of events, and what is done with each",
	  &shape_no_query, NULL, 200, JSON, &shape_event_types, OPERATION_event_type_list },
	{ "PATCH", V1 "/event-types/{name}", ACCESS_ADMINISTER, 0, "events", "Record events of a type or not, forward them or not, set their severity; {name} is the type's number",
	  &shape_no_query, &shape_event_type_request, 200, JSON, &shape_event_type, OPERATION_event_type_change },

	{ "GET", V1 "/alerts", ACCESS_READ, 0, "alerts", "List alerts, newest first",
	  &shape_alerts_query, NULL, 200, JSON, &shape_alerts, OPERATION_alert_list },
	{ "GET", V1 "/alerts/summary", ACCESS_READ, 0, "alerts", "What is open, a line a type, with the computers it is about",
	  &shape_no_query, NULL, 200, JSON, &shape_alert_lines, OPERATION_alert_summary },
	{ "GET", V1 "/alerts/stream", ACCESS_READ, ROUTE_STREAM, "alerts", "Follow changes of alerts as they happen (server-sent events)",
	  &shape_alert_stream_query, NULL, 200, EVENTS, NULL, OPERATION_alert_stream },
	{ "GET", V1 "/alerts/{id}", ACCESS_READ, 0, "alerts", "Show an alert with its history, and the computers that share it",
	  &shape_no_query, NULL, 200, JSON, &shape_alert_shown, OPERATION_alert_show },
	{ "POST", V1 "/alerts/{id}/dismiss", ACCESS_OPERATE, ROUTE_IDEMPOTENT, "alerts", "End an alert that a person may end",
	  &shape_no_query, &shape_nothing, 200, JSON, &shape_alert_shown, OPERATION_alert_dismiss },
	{ "GET", V1 "/alert-types", ACCESS_READ, 0, "alerts", "List types of alerts",
	  &shape_no_query, NULL, 200, JSON, &shape_alert_types, OPERATION_alert_type_list },
	{ "PATCH", V1 "/alert-types/{name}", ACCESS_ADMINISTER, 0, "alerts", "Switch alerts of a type on or off, set their severity",
	  &shape_no_query, &shape_alert_type_request, 200, JSON, &shape_alert_type, OPERATION_alert_type_change },

	{ "GET", V1 "/quarantine", ACCESS_READ, 0, "quarantine", "List quarantined files, newest first",
	  &shape_quarantine_query, NULL, 200, JSON, &shape_quarantine_items, OPERATION_quarantine_list },
	{ "GET", V1 "/quarantine/{id}", ACCESS_READ, 0, "quarantine", "Show a quarantined file",
	  &shape_no_query, NULL, 200, JSON, &shape_quarantine_item, OPERATION_quarantine_show },
	{ "GET", V1 "/quarantine/{id}/file", ACCESS_ADMINISTER, ROUTE_STREAM, "quarantine", "Download the file in a zip with a password",
	  &shape_file_query, NULL, 200, ZIP, NULL, OPERATION_quarantine_download },
	{ "POST", V1 "/quarantine/{id}/restore", ACCESS_OPERATE, ROUTE_IDEMPOTENT, "quarantine", "Put the file back in its place",
	  &shape_no_query, &shape_restore_request, 201, JSON, &shape_command, OPERATION_quarantine_restore },
	{ "DELETE", V1 "/quarantine/{id}", ACCESS_OPERATE, 0, "quarantine", "Delete the file for good, here and on the computer",
	  &shape_no_query, NULL, 200, JSON, &shape_command, OPERATION_quarantine_delete },

	{ "GET", V1 "/tokens", ACCESS_INSPECT, 0, "tokens", "List API tokens",
	  &shape_page_query, NULL, 200, JSON, &shape_tokens, OPERATION_token_list },
	{ "POST", V1 "/tokens", ACCESS_ADMINISTER, 0, "tokens", "Make an API token",
	  &shape_no_query, &shape_token_request, 201, JSON, &shape_new_token, OPERATION_token_create },
	{ "DELETE", V1 "/tokens/{id}", ACCESS_ADMINISTER, 0, "tokens", "Revoke an API token",
	  &shape_no_query, NULL, 204, NULL, NULL, OPERATION_token_revoke },

	{ "GET", V1 "/enrolment-tokens", ACCESS_INSPECT, 0, "enrolment-tokens", "List enrolment tokens",
	  &shape_page_query, NULL, 200, JSON, &shape_enrolment_tokens, OPERATION_enrolment_token_list },
	{ "POST", V1 "/enrolment-tokens", ACCESS_ADMINISTER, 0, "enrolment-tokens", "Make an enrolment token",
	  &shape_no_query, &shape_enrolment_token_request, 201, JSON, &shape_new_enrolment_token, OPERATION_enrolment_token_create },
	{ "DELETE", V1 "/enrolment-tokens/{id}", ACCESS_ADMINISTER, 0, "enrolment-tokens", "Revoke an enrolment token",
	  &shape_no_query, NULL, 204, NULL, NULL, OPERATION_enrolment_token_revoke },

	{ "POST", V1 "/deployments", ACCESS_ADMINISTER, 0, "enrolment-tokens", "Make a line that installs and activates the agent on new computers, with its enrolment token",
	  &shape_no_query, &shape_deployment_request, 201, JSON, &shape_deployment, OPERATION_deployment_create },

	{ "GET", V1 "/users", ACCESS_INSPECT, 0, "users", "List users",
	  &shape_page_query, NULL, 200, JSON, &shape_users, OPERATION_user_list },
	{ "POST", V1 "/users", ACCESS_ADMINISTER, 0, "users", "Make a user",
	  &shape_no_query, &shape_user_request, 201, JSON, &shape_user, OPERATION_user_create },
	{ "DELETE", V1 "/users/{id}", ACCESS_ADMINISTER, 0, "users", "Delete a user and end the user's sessions",
	  &shape_no_query, NULL, 204, NULL, NULL, OPERATION_user_delete },
	{ "PUT", V1 "/users/{id}/password", ACCESS_OWN, 0, "users", "Set a password: one's own, or as administrator anybody's",
	  &shape_no_query, &shape_password_request, 204, NULL, NULL, OPERATION_user_password },

	{ "GET", V1 "/settings", ACCESS_READ, 0, "settings", "List settings kept in the database",
	  &shape_no_query, NULL, 200, JSON, &shape_settings, OPERATION_setting_list },
	{ "PATCH", V1 "/settings", ACCESS_ADMINISTER, 0, "settings", "Change settings, all or none",
	  &shape_no_query, &shape_settings_request, 200, JSON, &shape_settings, OPERATION_setting_change },

	{ "GET", V1 "/destinations", ACCESS_INSPECT, 0, "destinations", "List where events and alerts are sent to",
	  &shape_page_query, NULL, 200, JSON, &shape_destinations, OPERATION_destination_list },
	{ "POST", V1 "/destinations", ACCESS_ADMINISTER, 0, "destinations", "Add a destination: syslog, mail or webhook, by its URL",
	  &shape_no_query, &shape_destination_request, 201, JSON, &shape_destination, OPERATION_destination_create },
	{ "GET", V1 "/destinations/{id}", ACCESS_INSPECT, 0, "destinations", "One destination",
	  &shape_no_query, NULL, 200, JSON, &shape_destination, OPERATION_destination_show },
	{ "PATCH", V1 "/destinations/{id}", ACCESS_ADMINISTER, 0, "destinations", "Change a destination; what is not given stays",
	  &shape_no_query, &shape_destination_change, 200, JSON, &shape_destination, OPERATION_destination_change },
	{ "DELETE", V1 "/destinations/{id}", ACCESS_ADMINISTER, 0, "destinations", "Remove a destination",
	  &shape_no_query, NULL, 204, NULL, NULL, OPERATION_destination_delete },
	{ "POST", V1 "/destinations/{id}/test", ACCESS_ADMINISTER, 0, "destinations", "Deliver a test message now and say what came of it",
	  &shape_no_query, NULL, 200, JSON, &shape_destination_test, OPERATION_destination_test },

	{ "GET", V1 "/hypervisors", ACCESS_READ, 0, "hypervisors", "List the hypervisors that are asked which virtual machines run",
	  &shape_page_query, NULL, 200, JSON, &shape_hypervisors, OPERATION_hypervisor_list },
	{ "POST", V1 "/hypervisors", ACCESS_ADMINISTER, 0, "hypervisors", "Add a hypervisor by its libvirt URI",
	  &shape_no_query, &shape_hypervisor_request, 201, JSON, &shape_hypervisor, OPERATION_hypervisor_create },
	{ "GET", V1 "/hypervisors/{id}", ACCESS_READ, 0, "hypervisors", "One hypervisor and how its connection is",
	  &shape_no_query, NULL, 200, JSON, &shape_hypervisor, OPERATION_hypervisor_show },
	{ "PATCH", V1 "/hypervisors/{id}", ACCESS_ADMINISTER, 0, "hypervisors", "Change a hypervisor; what is not given stays",
	  &shape_no_query, &shape_hypervisor_change, 200, JSON, &shape_hypervisor, OPERATION_hypervisor_change },
	{ "DELETE", V1 "/hypervisors/{id}", ACCESS_ADMINISTER, 0, "hypervisors", "Remove a hypervisor; nothing is known of its machines any more",
	  &shape_no_query, NULL, 204, NULL, NULL, OPERATION_hypervisor_delete },
	{ "GET", V1 "/hypervisors/{id}/machines", ACCESS_READ, 0, "hypervisors", "Its virtual machines, by name, and the computers they are",
	  &shape_hypervisor_machines_query, NULL, 200, JSON, &shape_hypervisor_machines, OPERATION_hypervisor_machines },
	{ "POST", V1 "/hypervisors/{id}/test", ACCESS_ADMINISTER, 0, "hypervisors", "Hang up, connect anew and ask now, and say what came of it",
	  &shape_no_query, NULL, 200, JSON, &shape_hypervisor_test, OPERATION_hypervisor_test },

	{ "GET", V1 "/networks", ACCESS_READ, 0, "networks", "List networks that the manager cannot reach",
	  &shape_page_query, NULL, 200, JSON, &shape_networks, OPERATION_network_list },
	{ "POST", V1 "/networks", ACCESS_ADMINISTER, 0, "networks", "Add a network that the manager cannot reach: it does not dial agents there",
	  &shape_no_query, &shape_network_request, 201, JSON, &shape_network, OPERATION_network_add },
	{ "GET", V1 "/networks/{id}", ACCESS_READ, 0, "networks", "One network",
	  &shape_no_query, NULL, 200, JSON, &shape_network, OPERATION_network_show },
	{ "PATCH", V1 "/networks/{id}", ACCESS_ADMINISTER, 0, "networks", "Change a network, at once for all agents inside; what is not given stays; takes If-Match",
	  &shape_no_query, &shape_network_change, 200, JSON, &shape_network, OPERATION_network_change },
	{ "DELETE", V1 "/networks/{id}", ACCESS_ADMINISTER, 0, "networks", "Remove a network: agents there follow their policies again; takes If-Match",
	  &shape_no_query, NULL, 204, NULL, NULL, OPERATION_network_remove },

	{ "GET", V1 "/tls-profiles", ACCESS_READ, 0, "system", "The TLS profiles, and which of them this machine can serve",
	  &shape_no_query, NULL, 200, JSON, &shape_tls_profiles, OPERATION_tls_profile_list },

	{ "GET", V1 "/certificates", ACCESS_READ, 0, "certificates", "List the manager's certificates: what each is for, and until when it is good",
	  &shape_no_query, NULL, 200, JSON, &shape_certificates, OPERATION_certificate_list },
	{ "POST", V1 "/certificates/{name}/renew", ACCESS_ADMINISTER, 0, "certificates", "Make one anew now, with another key; connections under way stay",
	  &shape_no_query, &shape_nothing, 200, JSON, &shape_certificate, OPERATION_certificate_renew },

	{ "GET", V1 "/key-files", ACCESS_READ, 0, "key-files", "The files of the manager's keys: do they hold what it works with?",
	  &shape_no_query, NULL, 200, JSON, &shape_key_files, OPERATION_key_file_list },
	{ "POST", V1 "/key-files/rewrite", ACCESS_ADMINISTER, 0, "key-files", "Write those anew that do not, out of the manager's memory",
	  &shape_no_query, &shape_key_files_rewrite, 200, JSON, &shape_key_files, OPERATION_key_file_write },

	{ "GET", V1 "/server-key", ACCESS_READ, 0, "server-key", "Show the server authentication key, those before it, and how many agents trust each",
	  &shape_no_query, NULL, 200, JSON, &shape_server_key, OPERATION_server_key_show },
	{ "POST", V1 "/server-key", ACCESS_ADMINISTER, ROUTE_IDEMPOTENT, "server-key", "Roll the server authentication key over: the present one signs the next, and agents follow",
	  &shape_no_query, &shape_server_key_request, 201, JSON, &shape_server_key, OPERATION_server_key_make },
	{ "POST", V1 "/server-key/import", ACCESS_ADMINISTER, 0, "server-key", "Take up a private key from elsewhere",
	  &shape_no_query, &shape_server_key_import, 201, JSON, &shape_server_key, OPERATION_server_key_import },
	{ "POST", V1 "/server-key/backup", ACCESS_ADMINISTER, 0, "server-key", "Back up the key, the CA and what a manager needs for its agents to stay, under a password",
	  &shape_no_query, &shape_key_backup_request, 200, JSON, &shape_key_backup, OPERATION_server_key_back_up },
	{ "POST", V1 "/server-key/restore", ACCESS_ADMINISTER, 0, "server-key", "Restore the key from a backup of this manager",
	  &shape_no_query, &shape_key_restore_request, 201, JSON, &shape_server_key, OPERATION_server_key_restore },
	{ "GET", V1 "/server-key/mismatched", ACCESS_READ, 0, "server-key", "List agents without a valid server certificate: they trust another key",
	  &shape_page_query, NULL, 200, JSON, &shape_mismatched_agents, OPERATION_server_key_mismatched },

	{ "GET", V1 "/ports", ACCESS_READ, 0, "system", "Ports: where the manager listens, and whom it connects to",
	  &shape_no_query, NULL, 200, JSON, &shape_ports, OPERATION_port_list },
	{ "POST", V1 "/ports/check", ACCESS_OPERATE, 0, "system", "The same, after connecting to each: takes up to 5 s, and longer where names do not resolve",
	  &shape_no_query, NULL, 200, JSON, &shape_ports, OPERATION_port_check },

	{ "GET", V1 "/policy-settings", ACCESS_READ, 0, "policies", "List the settings that policies and computers may hold",
	  &shape_no_query, NULL, 200, JSON, &shape_policy_settings, OPERATION_policy_setting_list },
	{ "GET", V1 "/policies", ACCESS_READ, 0, "policies", "The tree of policies, each before those below it",
	  &shape_no_query, NULL, 200, JSON, &shape_policies, OPERATION_policy_list },
	{ "POST", V1 "/policies", ACCESS_ADMINISTER, 0, "policies", "Make a policy",
	  &shape_no_query, &shape_policy_request, 201, JSON, &shape_policy, OPERATION_policy_add },
	{ "GET", V1 "/policies/overrides", ACCESS_READ, 0, "policies", "List what policies and computers override",
	  &shape_overrides_query, NULL, 200, JSON, &shape_overrides, OPERATION_policy_override_list },
	{ "GET", V1 "/policies/difference", ACCESS_READ, 0, "policies", "What two policies or computers come to differently",
	  &shape_difference_query, NULL, 200, JSON, &shape_differences, OPERATION_policy_difference },
	{ "GET", V1 "/policies/deleted", ACCESS_READ, 0, "policies", "List policies that were deleted and can be restored, the last one first",
	  &shape_no_query, NULL, 200, JSON, &shape_policies_deleted, OPERATION_policy_deleted_list },
	{ "POST", V1 "/policies/apply", ACCESS_ADMINISTER, 0, "policies", "Make policies be as described, all or none",
	  &shape_no_query, &shape_policy_apply_request, 200, JSON, &shape_policy_result, OPERATION_policy_apply },
	{ "GET", V1 "/policies/{id}", ACCESS_READ, 0, "policies", "Show a policy with its settings and where each comes from",
	  &shape_no_query, NULL, 200, JSON, &shape_policy, OPERATION_policy_show },
	{ "PATCH", V1 "/policies/{id}", ACCESS_ADMINISTER, 0, "policies", "Change a policy: settings, name, parent, all or none; takes If-Match",
	  &shape_no_query, &shape_policy_change_request, 200, JSON, &shape_policy, OPERATION_policy_change },
	{ "DELETE", V1 "/policies/{id}", ACCESS_ADMINISTER, 0, "policies", "Delete a policy that nothing hangs under; takes If-Match",
	  &shape_no_query, NULL, 204, NULL, NULL, OPERATION_policy_remove },
	{ "GET", V1 "/policies/{id}/history", ACCESS_READ, 0, "policies", "Who changed the policy, newest first",
	  &shape_no_query, NULL, 200, JSON, &shape_policy_history, OPERATION_policy_history },
	{ "POST", V1 "/policies/{id}/revert", ACCESS_ADMINISTER, 0, "policies", "Back to a version of before; takes If-Match",
	  &shape_no_query, &shape_revert_request, 200, JSON, &shape_policy, OPERATION_policy_revert },
	{ "POST", V1 "/policies/{id}/restore", ACCESS_ADMINISTER, 0, "policies", "Make a deleted policy be there again, as it was",
	  &shape_no_query, &shape_policy_restore_request, 201, JSON, &shape_policy, OPERATION_policy_restore },
	{ "GET", V1 "/computers/{id}/settings", ACCESS_READ, 0, "policies", "A computer's effective settings and where each comes from",
	  &shape_no_query, NULL, 200, JSON, &shape_effective_settings, OPERATION_computer_settings },
	{ "PATCH", V1 "/computers/{id}", ACCESS_ADMINISTER, 0, "policies", "Assign a policy, override settings, all or none; takes If-Match",
	  &shape_no_query, &shape_computer_change_request, 200, JSON, &shape_effective_settings, OPERATION_computer_change },
	{ "GET", V1 "/computers/{id}/history", ACCESS_READ, 0, "policies", "Who changed the computer's settings or policy, newest first",
	  &shape_no_query, NULL, 200, JSON, &shape_policy_history, OPERATION_computer_history },
	{ "POST", V1 "/computers/{id}/revert", ACCESS_ADMINISTER, 0, "policies", "A computer's settings and policy back to a version of before; takes If-Match",
	  &shape_no_query, &shape_revert_request, 200, JSON, &shape_effective_settings, OPERATION_computer_revert },

	{ "GET", V1 "/audit", ACCESS_INSPECT, 0, "audit", "List audit entries, newest first",
	  &shape_audit_query, NULL, 200, JSON, &shape_audit, OPERATION_audit_list },

	{ "GET", V1 "/system", ACCESS_READ, 0, "system", "The manager's version, limits, identity and counts",
	  &shape_no_query, NULL, 200, JSON, &shape_system, OPERATION_system_show },
	{ "GET", V1 "/openapi.json", ACCESS_ANYBODY, 0, "system", "This document",
	  &shape_no_query, NULL, 200, JSON, NULL, OPERATION_document_show },
	{ "GET", "/healthz", ACCESS_ANYBODY, 0, "system", "Does it run",
	  &shape_no_query, NULL, 200, JSON, &shape_health, OPERATION_health_live },
	{ "GET", "/readyz", ACCESS_ANYBODY, 0, "system", "Can it serve: database readable, no listener waiting for its certificate, not stopping",
	  &shape_no_query, NULL, 200, JSON, &shape_health, OPERATION_health_ready },
	{ "GET", "/metrics", ACCESS_METRICS, 0, "system", "Counters for Prometheus; no token needed from this machine",
	  &shape_no_query, NULL, 200, TEXT, NULL, OPERATION_metrics_show },
	{ "GET", "/ca.pem", ACCESS_ANYBODY, 0, "system", "The manager's CA certificate",
	  &shape_no_query, NULL, 200, PEM, NULL, OPERATION_ca_show },
};
/* clang-format on */
const size_t api_route_count = COUNT_OF(api_routes);
_Static_assert(COUNT_OF(api_routes) <= API_ROUTES_MAX, "counters have room for each route");
_Static_assert(COUNT_OF(api_routes) == OPERATION_COUNT_, "a row for each operation");

#define NAME(name) [OPERATION_##name] = #name,
static const char *const operation_names[] = { API_OPERATIONS(NAME) };

const char *route_operation_name(enum api_operation operation)
{
	return operation_names[operation];
}

static const struct {
	const char *text;
	bool allowed[ROLE_COUNT_];
} accesses[] = {
	/*                                              viewer, operator, administrator, auditor */
	[ACCESS_ANYBODY] = { "anybody", { true, true, true, true } },
	[ACCESS_METRICS] = { "viewer or better, or auditor", { true, true, true, true } },
	[ACCESS_OWN] = { "any role", { true, true, true, true } },
	[ACCESS_READ] = { "viewer or better, or auditor", { true, true, true, true } },
	[ACCESS_OPERATE] = { "operator or better", { false, true, true, false } },
	[ACCESS_INSPECT] = { "administrator or auditor", { false, false, true, true } },
	[ACCESS_ADMINISTER] = { "administrator", { false, false, true, false } },
};
_Static_assert(COUNT_OF(accesses) == ACCESS_COUNT_, "a row for each access");

bool route_allows(enum route_access access, enum account_role role)
{
	return access < ACCESS_COUNT_ && role < ROLE_COUNT_ && accesses[access].allowed[role];
}

const char *route_access_text(enum route_access access)
{
	return accesses[access].text;
}

/* Segment by segment; a pattern's {id} or {name} takes one that is not empty. */
static bool pattern_matches(const char *pattern, const char *path, char id[ROUTE_ID_MAX_BYTES])
{
	id[0] = '\0';
	while (*pattern == '/' && *path == '/') {
		size_t wanted = strcspn(++pattern, "/");
		size_t given = strcspn(++path, "/");

		if (pattern[0] == '{') {
			if (given == 0 || given >= ROUTE_ID_MAX_BYTES)
				return false;
			memcpy(id, path, given);
			id[given] = '\0';
		} else if (wanted != given || strncmp(pattern, path, given) != 0) {
			return false;
		}
		pattern += wanted;
		path += given;
	}
	return *pattern == '\0' && *path == '\0';
}

enum route_result route_find(const char *method, const char *path, const struct api_route **ret_route,
			     char ret_id[ROUTE_ID_MAX_BYTES], char *allow, size_t capacity)
{
	bool known = false;

	allow[0] = '\0';
	for (size_t i = 0; i < api_route_count; i++) {
		size_t used = strlen(allow);

		if (!pattern_matches(api_routes[i].pattern, path, ret_id))
			continue;
		if (strcmp(api_routes[i].method, method) == 0) {
			*ret_route = &api_routes[i];
			return ROUTE_FOUND;
		}
		known = true;
		snprintf(allow + used, capacity - used, "%s%s", used > 0 ? ", " : "", api_routes[i].method);
	}
	return known ? ROUTE_NO_METHOD : ROUTE_NO_PATH;
}
