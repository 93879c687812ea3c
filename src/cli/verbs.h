/* The table of what the operator's program can do: one row a noun and verb.
 *
 * Parsing of arguments, --help, completion and the manual all read it; a row
 * and its function are all that a new verb needs.
 */
#ifndef MUSTER_CLI_VERBS_H
#define MUSTER_CLI_VERBS_H

#include <stddef.h>

#include "base/err.h"

struct cli;

struct cli_option {
	const char *name;  /* without dashes; one letter is written -x */
	const char *value; /* what stands for the value in help; NULL: takes none */
	const char *help;
	const char *words; /* values to complete, separated by spaces, or NULL */
};

struct cli_verb {
	const char *noun;
	const char *verb;                 /* NULL: the noun stands alone */
	const char *arguments;            /* "COMPUTER [PATH...]" */
	size_t least, most;               /* how many arguments */
	const struct cli_option *options; /* ended by a row without name; may be NULL */
	const char *help;                 /* one line */
	const char *detail;               /* more, or NULL */
	int (*run)(struct cli *cli, struct err *err);
};

struct cli_noun {
	const char *noun;
	const char *help;
};

struct cli_table {
	const char *program;
	const struct cli_verb *verbs;
	size_t verb_count;
	const struct cli_noun *nouns; /* those with verbs: help of their own */
	size_t noun_count;
	const struct cli_option *options; /* global; ended by a row without name */
};

extern const struct cli_table cli_table;

#define CLI_ARGUMENTS_MAX 1024

/* Each row's function; contract: cli/cli.h. */
#define VERB(name) int name(struct cli *cli, struct err *err)
VERB(verb_login);
VERB(verb_logout);
VERB(verb_completion);
VERB(verb_manual);
VERB(verb_computer_list);
VERB(verb_computer_show);
VERB(verb_computer_scan);
VERB(verb_computer_heartbeat);
VERB(verb_computer_verify);
VERB(verb_computer_install);
VERB(verb_computer_delete);
VERB(verb_computer_add);
VERB(verb_computer_address);
VERB(verb_computer_activate);
VERB(verb_computer_move);
VERB(verb_computer_deactivate);
VERB(verb_computer_reactivate);
VERB(verb_computer_revoke);
VERB(verb_command_list);
VERB(verb_command_show);
VERB(verb_command_watch);
VERB(verb_command_cancel);
VERB(verb_command_pause);
VERB(verb_command_resume);
VERB(verb_event_list);
VERB(verb_event_show);
VERB(verb_event_tail);
VERB(verb_event_types);
VERB(verb_event_set);
VERB(verb_alert_list);
VERB(verb_alert_summary);
VERB(verb_alert_show);
VERB(verb_alert_dismiss);
VERB(verb_alert_types);
VERB(verb_alert_set);
VERB(verb_quarantine_list);
VERB(verb_quarantine_show);
VERB(verb_quarantine_restore);
VERB(verb_quarantine_delete);
VERB(verb_quarantine_download);
VERB(verb_token_create);
VERB(verb_token_list);
VERB(verb_token_revoke);
VERB(verb_deployment_script);
VERB(verb_user_list);
VERB(verb_user_create);
VERB(verb_user_delete);
VERB(verb_user_password);
VERB(verb_audit_list);
VERB(verb_destination_list);
VERB(verb_destination_show);
VERB(verb_destination_create);
VERB(verb_destination_set);
VERB(verb_destination_delete);
VERB(verb_destination_test);
VERB(verb_hypervisor_list);
VERB(verb_hypervisor_show);
VERB(verb_hypervisor_add);
VERB(verb_hypervisor_set);
VERB(verb_hypervisor_remove);
VERB(verb_hypervisor_machines);
VERB(verb_hypervisor_test);
VERB(verb_network_list);
VERB(verb_network_show);
VERB(verb_network_add);
VERB(verb_network_set);
VERB(verb_network_remove);
VERB(verb_policy_tree);
VERB(verb_policy_list);
VERB(verb_policy_show);
VERB(verb_policy_settings);
VERB(verb_tls_profiles);
VERB(verb_cert_create);
VERB(verb_cert_show);
VERB(verb_cert_export);
VERB(verb_cert_import);
VERB(verb_cert_backup);
VERB(verb_cert_restore);
VERB(verb_cert_list_mismatched);
VERB(verb_cert_list);
/* Says on stderr which keys are in the manager's memory alone. One of before there was such a list says nothing. */
void key_files_warn(struct cli *cli);
VERB(verb_cert_rewrite);
VERB(verb_cert_renew);
VERB(verb_ports);
VERB(verb_policy_create);
VERB(verb_policy_delete);
VERB(verb_policy_rename);
VERB(verb_policy_move);
VERB(verb_policy_set);
VERB(verb_policy_unset);
VERB(verb_policy_diff);
VERB(verb_policy_overrides);
VERB(verb_policy_history);
VERB(verb_policy_revert);
VERB(verb_policy_deleted);
VERB(verb_policy_restore);
VERB(verb_policy_apply);
VERB(verb_policy_export);
VERB(verb_policy_hash_password);
VERB(verb_computer_effective);
VERB(verb_computer_set);
VERB(verb_computer_unset);
VERB(verb_computer_assign);
VERB(verb_computer_appliance);
VERB(verb_computer_history);
VERB(verb_computer_revert);
VERB(verb_settings_list);
VERB(verb_settings_set);
VERB(verb_settings_unset);
VERB(verb_system_show);
#undef VERB

#endif
