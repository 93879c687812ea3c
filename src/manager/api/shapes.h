/* The shapes of everything that the API takes and gives (doc/contract.md is
 * the source of the fields' names). routes.c says which belongs where. Each
 * shapes_*.c has those of one subject: queries, what callers send, what they
 * get; shape_rows.h is how they are written. A shape that is an object of its
 * own in the document also has its row in shapes_documented. */
#ifndef MUSTER_MANAGER_API_SHAPES_H
#define MUSTER_MANAGER_API_SHAPES_H

#include "manager/api/shape.h"

/* shapes.c: any request and what went wrong. */
extern const struct shape shape_no_query, shape_page_query, shape_nothing, shape_fault, shape_problem;

/* shapes_access.c: who may do what. */
extern const struct shape shape_sign_in, shape_session, shape_principal, shape_token_request, shape_token,
    shape_new_token, shape_tokens, shape_enrolment_token_request, shape_deployment_request, shape_enrolment_token,
    shape_new_enrolment_token, shape_enrolment_tokens, shape_deployment, shape_user_request, shape_password_request,
    shape_user, shape_users, shape_audit_query, shape_audit_entry, shape_audit;

/* shapes_computers.c: computers and their commands. */
extern const struct shape shape_computers_query, shape_computer_request, shape_activation_request,
    shape_dial_address_request, shape_component, shape_computer, shape_computers, shape_verification_request,
    shape_verification_results_query, shape_verification, shape_verifications, shape_verification_result,
    shape_verification_results, shape_commands_query, shape_command_request, shape_commands_request, shape_command,
    shape_commands, shape_issued, shape_issued_commands;

/* shapes_happenings.c: events, alerts, quarantine. */
extern const struct shape shape_events_query, shape_stream_query, shape_event, shape_events, shape_event_type_request,
    shape_event_type, shape_event_types, shape_alerts_query, shape_alert_stream_query, shape_alert_computer,
    shape_alert_change, shape_alert, shape_alerts, shape_alert_shown, shape_alert_line, shape_alert_lines,
    shape_alert_type_request, shape_alert_type, shape_alert_types, shape_quarantine_query, shape_file_query,
    shape_restore_request, shape_quarantine_item, shape_quarantine_items;

/* shapes_policies.c: policies and settings of computers. */
extern const struct shape shape_policy_setting, shape_policy_settings, shape_effective_setting,
    shape_effective_settings, shape_computer_change_request, shape_policy_request, shape_policy_change_request,
    shape_policy_apply_request, shape_policy, shape_policies, shape_overrides_query, shape_difference_query,
    shape_override, shape_overrides, shape_difference, shape_differences, shape_value_change, shape_policy_changed,
    shape_policy_result, shape_policy_history_entry, shape_policy_history, shape_revert_request,
    shape_policy_deleted_entry, shape_policies_deleted, shape_policy_restore_request;

/* shapes_places.c: destinations, hypervisors, networks. */
extern const struct shape shape_destination_request, shape_destination_change, shape_destination, shape_destinations,
    shape_destination_test, shape_hypervisor_request, shape_hypervisor_change, shape_hypervisor_machines_query,
    shape_hypervisor, shape_hypervisors, shape_machine_computer, shape_hypervisor_machine, shape_hypervisor_machines,
    shape_computer_machine, shape_hypervisor_test, shape_network_request, shape_network_change, shape_network,
    shape_networks;

/* shapes_manager.c: the manager itself. */
extern const struct shape shape_system, shape_health, shape_setting, shape_settings, shape_certificate,
    shape_certificates, shape_key_files_rewrite, shape_key_file, shape_key_files, shape_server_key_request,
    shape_server_key_import, shape_key_backup_request, shape_key_backup, shape_key_restore_request, shape_known_key,
    shape_server_key, shape_mismatched_agent, shape_mismatched_agents, shape_tls_profile, shape_tls_profiles,
    shape_port, shape_ports, shape_settings_request;

/* All of the above that are objects of their own in the document, for it. NULL-terminated. */
extern const struct shape *const shapes_documented[];

extern const char *const shape_roles[]; /* enum account_role */
extern const char *const shape_severities[];
extern const char *const shape_deployment_forms[]; /* enum deployment_form */
extern const char *const shape_command_kinds[];
extern const char *const shape_command_states[];

#endif
