/* The API's one table: what can be asked, by whom, with what, for what.
 *
 * Routing, authorization, checking of input, the OpenAPI document and the
 * tests all read it. A row added here is all that a new request needs besides
 * its handler.
 */
#ifndef MUSTER_MANAGER_API_ROUTES_H
#define MUSTER_MANAGER_API_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/hex.h"
#include "manager/api/accounts.h"
#include "manager/api/shape.h"

enum route_access {
	ACCESS_ANYBODY,    /* no token needed */
	ACCESS_METRICS,    /* from this machine without a token, else as READ */
	ACCESS_OWN,        /* any token: about oneself */
	ACCESS_READ,       /* viewer and better, auditor */
	ACCESS_OPERATE,    /* operator and better */
	ACCESS_INSPECT,    /* administrator, auditor */
	ACCESS_ADMINISTER, /* administrator */
	ACCESS_COUNT_
};

enum route_flag {
	ROUTE_IDEMPOTENT = 1, /* takes an Idempotency-Key */
	ROUTE_STREAM = 2,     /* the handler keeps the request and streams */
};

/* What is done: one handler of this name each (handlers.h), and the document's operationId. */
/* clang-format off */
#define API_OPERATIONS(X) \
	X(session_begin) \
	X(session_show) \
	X(session_end) \
	X(computer_list) \
	X(computer_add) \
	X(computer_activate) \
	X(computer_show) \
	X(computer_dial_address) \
	X(computer_delete) \
	X(computer_deactivate) \
	X(computer_reactivate) \
	X(computer_revoke) \
	X(verification_begin) \
	X(verification_list) \
	X(verification_show) \
	X(verification_results) \
	X(command_create) \
	X(command_create_many) \
	X(command_list) \
	X(command_show) \
	X(command_cancel) \
	X(command_pause) \
	X(command_resume) \
	X(event_list) \
	X(event_show) \
	X(event_stream) \
	X(event_type_list) \
	X(event_type_change) \
	X(alert_list) \
	X(alert_summary) \
	X(alert_stream) \
	X(alert_show) \
	X(alert_dismiss) \
	X(alert_type_list) \
	X(alert_type_change) \
	X(quarantine_list) \
	X(quarantine_show) \
	X(quarantine_restore) \
	X(quarantine_delete) \
	X(quarantine_download) \
	X(token_list) \
	X(token_create) \
	X(token_revoke) \
	X(enrolment_token_list) \
	X(enrolment_token_create) \
	X(enrolment_token_revoke) \
	X(deployment_create) \
	X(user_list) \
	X(user_create) \
	X(user_delete) \
	X(user_password) \
	X(setting_list) \
	X(setting_change) \
	X(destination_list) \
	X(destination_create) \
	X(destination_show) \
	X(destination_change) \
	X(destination_delete) \
	X(destination_test) \
	X(hypervisor_list) \
	X(hypervisor_create) \
	X(hypervisor_show) \
	X(hypervisor_change) \
	X(hypervisor_delete) \
	X(hypervisor_machines) \
	X(hypervisor_test) \
	X(network_list) \
	X(network_add) \
	X(network_show) \
	X(network_change) \
	X(network_remove) \
	X(tls_profile_list) \
	X(certificate_list) \
	X(certificate_renew) \
	X(key_file_list) \
	X(key_file_write) \
	X(server_key_show) \
	X(server_key_make) \
	X(server_key_import) \
	X(server_key_back_up) \
	X(server_key_restore) \
	X(server_key_mismatched) \
	X(port_list) \
	X(port_check) \
	X(policy_setting_list) \
	X(policy_list) \
	X(policy_add) \
	X(policy_override_list) \
	X(policy_difference) \
	X(policy_apply) \
	X(policy_show) \
	X(policy_change) \
	X(policy_remove) \
	X(policy_history) \
	X(policy_revert) \
	X(policy_deleted_list) \
	X(policy_restore) \
	X(computer_settings) \
	X(computer_change) \
	X(computer_history) \
	X(computer_revert) \
	X(audit_list) \
	X(system_show) \
	X(document_show) \
	X(health_live) \
	X(health_ready) \
	X(metrics_show) \
	X(ca_show)
/* clang-format on */
#define API_OPERATION_(name) OPERATION_##name,
enum api_operation { API_OPERATIONS(API_OPERATION_) OPERATION_COUNT_ };

struct api_route {
	const char *method;
	const char *pattern; /* segments; "{id}" matches one that must be a UUID, "{name}" any */
	enum route_access access;
	unsigned flags;
	const char *tag; /* group in the document */
	const char *summary;
	const struct shape *query;
	const struct shape *request;  /* NULL: takes no body */
	int status;                   /* of success */
	const char *content_type;     /* of success, NULL: none */
	const struct shape *response; /* for application/json, NULL: any */
	enum api_operation operation;
};

extern const struct api_route api_routes[];
extern const size_t api_route_count;
#define API_ROUTES_MAX 128

#define ROUTE_ID_MAX_BYTES 64

enum route_result { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };
/* path: raw, without the query. On ROUTE_FOUND ret_id holds what stood for
 * {id} or {name} ("" if none); on ROUTE_NO_METHOD allow (capacity bytes) lists the methods. Pure. */
enum route_result route_find(const char *method, const char *path, const struct api_route **ret_route,
			     char ret_id[ROUTE_ID_MAX_BYTES], char *allow, size_t capacity);

const char *route_operation_name(enum api_operation operation);

/* The role table: one row an access, one column a role. */
bool route_allows(enum route_access access, enum account_role role);
/* "administrator", "operator or better", …: for people. */
const char *route_access_text(enum route_access access);

#endif
