/* Tables only. Policies, and the settings of computers. */
#include "manager/api/shapes.h"

#include "manager/api/shape_rows.h"

/* clang-format off */
/* --- settings --- */

static const char *const override_kinds[] = { "policy", "computer", NULL };
static const char *const origin_kinds[] = { "default", "policy", "computer", "network", "appliance", NULL };
static const char *const policy_setting_types[] = { "duration", "size", "number", "boolean", "choice", "paths", "password", "text", NULL };

#define SETTINGS_HELP "Names of settings with their new values as text, number, boolean or list of paths; null inherits again."

SHAPE(shape_policy_setting, "PolicySetting", "A setting that policies and computers may hold.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "type", SHAPE_CHOICE, REQUIRED, .choices = policy_setting_types, .help = "What values it takes." },
	{ "default", SHAPE_TEXT, REQUIRED, .help = "Its value where nobody sets it." },
	{ "allowed", SHAPE_TEXT, REQUIRED, .help = "What is allowed, in words." },
	{ "choices", SHAPE_TEXTS, REQUIRED, .help = "The words of a choice, or values to offer; empty for none." },
	{ "unit", SHAPE_TEXT, REQUIRED, .help = "Unit of plain numbers, empty for none." },
	{ "applied_by", SHAPE_TEXT, REQUIRED, .help = "Which parts apply it." },
	{ "restart", SHAPE_BOOLEAN, REQUIRED, .help = "Does it take effect when that part starts again; else at once." },
	{ "help", SHAPE_TEXT, REQUIRED, .help = "What it does, in English." },
	{ "help_ja", SHAPE_TEXT, REQUIRED, .help = "What it does, in Japanese." });
LIST(shape_policy_settings, "PolicySettings", shape_policy_setting);

SHAPE(shape_effective_setting, "EffectiveSetting", "A setting's value and where it comes from.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "The setting." },
	{ "value", SHAPE_TEXT, REQUIRED, .help = "Its value; `set` in place of a password." },
	{ "origin", SHAPE_TEXT, REQUIRED, .help = "Name of the policy that sets it, `computer`, `default`, `appliance` (what an appliance is bound to), or `network` and the name of the network that it is in." },
	{ "origin_kind", SHAPE_CHOICE, REQUIRED, .choices = origin_kinds, .help = "What the origin is." },
	{ "own", SHAPE_BOOLEAN, REQUIRED, .help = "Is it set right here? Else it is inherited." },
	{ "inherited", SHAPE_TEXT, REQUIRED, .help = "The value that it would have if it were not set here." });

SHAPE(shape_effective_settings, "EffectiveSettings", "A computer's settings.",
	{ "computer", SHAPE_UUID, REQUIRED, .help = "The computer." },
	{ "policy", SHAPE_TEXT, REQUIRED, .help = "Its policy." },
	{ "version", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Grows with each change of its own settings or policy; also the ETag." },
	{ "fingerprint", SHAPE_TEXT, REQUIRED, .help = "SHA-256 of what its agent should have." },
	{ "items", SHAPE_OBJECTS, REQUIRED, .of = &shape_effective_setting, .help = "Every setting; in a network that the manager cannot reach also `network.offline_after`, which counts in place of lost heartbeats." });

SHAPE(shape_computer_change_request, "ComputerChangeRequest", "What changes of a computer; the rest stays.",
	{ "policy", SHAPE_NAME, .max = 255, .help = "Id or name of the policy to assign." },
	{ "appliance", SHAPE_BOOLEAN, .help = "Is it an appliance? Appliances are only bidirectional; 409 while it overrides `link.direction` with another." },
	{ "settings", SHAPE_ANY, .help = SETTINGS_HELP });

/* --- policies --- */

SHAPE(shape_policy_request, "PolicyRequest", "A policy.",
	{ "name", SHAPE_NAME, REQUIRED, .max = 255, .help = "Its name; no other policy has it in any case of letters." },
	{ "parent", SHAPE_NAME, .max = 255, .help = "Id or name of the policy above it; for a new one the base policy if not given." },
	{ "settings", SHAPE_ANY, .help = SETTINGS_HELP });

SHAPE(shape_policy_change_request, "PolicyChangeRequest", "What changes; the rest stays.",
	{ "name", SHAPE_NAME, .max = 255, .help = "Its new name." },
	{ "parent", SHAPE_NAME, .max = 255, .help = "Id or name of the policy that it moves below." },
	{ "settings", SHAPE_ANY, .help = SETTINGS_HELP });

SHAPE(shape_policy_apply_request, "PolicyApplyRequest", "Policies as they shall be; policies that are not named stay.",
	{ "policies", SHAPE_OBJECTS, REQUIRED, 1, 1000, .of = &shape_policy_request, .help = "Each with its settings; what they do not name is inherited. Those above stand before those below." },
	{ "dry_run", SHAPE_BOOLEAN, .help = "Only say what would change." });

SHAPE(shape_policy, "Policy", "A policy.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "parent", SHAPE_TEXT, NULLABLE, .help = "Name of the policy above it; null: the base policy." },
	{ "parent_id", SHAPE_UUID, NULLABLE, .help = "That policy's id." },
	{ "depth", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Levels below the base policy." },
	{ "children", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Policies right below it." },
	{ "overrides", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Settings that it sets itself." },
	{ "computers", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Computers right below it." },
	{ "pending", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them those not told of their configuration yet." },
	{ "sent", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them those told, not confirmed yet." },
	{ "applied", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them those that have it in force." },
	{ "failed", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them those that could not apply it." },
	{ "version", SHAPE_NUMBER, 0, NOTHING_OR_MORE, .help = "Grows with each change of the policy itself; also the ETag. Not in lists." },
	{ "settings", SHAPE_OBJECTS, 0, .of = &shape_effective_setting, .help = "Every setting. Not in lists." });
LIST(shape_policies, "Policies", shape_policy);

/* --- compared --- */

SHAPE(shape_overrides_query, "OverridesQuery", "Which overrides; by setting.",
	{ "setting", SHAPE_TEXT, 0, 1, 64, .help = "Only those of this setting." },
	{ "kind", SHAPE_CHOICE, .choices = override_kinds, .help = "Only those of policies, or of computers." },
	PAGING);

SHAPE(shape_difference_query, "DifferenceQuery", "What is compared: ids of policies or computers, or names of policies.",
	{ "a", SHAPE_NAME, REQUIRED, .max = 255, .help = "One." },
	{ "b", SHAPE_NAME, REQUIRED, .max = 255, .help = "The other." });

SHAPE(shape_override, "Override", "A value that a policy or computer sets itself.",
	{ "kind", SHAPE_CHOICE, REQUIRED, .choices = override_kinds, .help = "Who sets it." },
	{ "id", SHAPE_UUID, REQUIRED, .help = "Id of the policy or computer." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "setting", SHAPE_TEXT, REQUIRED, .help = "The setting." },
	{ "value", SHAPE_TEXT, REQUIRED, .help = "The value." });
LIST(shape_overrides, "Overrides", shape_override);

SHAPE(shape_difference, "Difference", "A setting that two come to differently.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "The setting." },
	{ "a", SHAPE_TEXT, REQUIRED, .help = "One's value." },
	{ "a_origin", SHAPE_TEXT, REQUIRED, .help = "Where it comes from." },
	{ "b", SHAPE_TEXT, REQUIRED, .help = "The other's value." },
	{ "b_origin", SHAPE_TEXT, REQUIRED, .help = "Where it comes from." });
LIST(shape_differences, "Differences", shape_difference);

/* --- changes, and back --- */

SHAPE(shape_value_change, "ValueChange", "One thing that changed.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "A setting, `name`, `parent` or `policy`." },
	{ "old", SHAPE_TEXT, NULLABLE, .help = "What it was; null: inherited, or not there." },
	{ "new", SHAPE_TEXT, NULLABLE, .help = "What it is; null: inherited, or not there any more." });

SHAPE(shape_policy_changed, "PolicyChanged", "What changes of one policy.",
	{ "subject", SHAPE_UUID, REQUIRED, .help = "The policy's id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "action", SHAPE_TEXT, REQUIRED, .help = "`create` or `change`." },
	{ "changes", SHAPE_OBJECTS, REQUIRED, .of = &shape_value_change, .help = "What." });

SHAPE(shape_policy_result, "PolicyResult", "What changes, and for how many.",
	{ "dry_run", SHAPE_BOOLEAN, REQUIRED, .help = "Nothing was done: this is what would be." },
	{ "affected", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Computers for which something changes." },
	{ "contacted", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them those whose agent gets another configuration." },
	{ "changes", SHAPE_OBJECTS, REQUIRED, .of = &shape_policy_changed, .help = "What changes; empty: nothing." });

SHAPE(shape_policy_history_entry, "PolicyHistoryEntry", "A change of before.",
	{ "version", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "The version that came of it." },
	{ "time", SHAPE_TIME, REQUIRED, .help = "When." },
	{ "actor", SHAPE_TEXT, REQUIRED, .help = "Who." },
	{ "actor_kind", SHAPE_TEXT, REQUIRED, .help = "`user`, `token` or `system`." },
	{ "action", SHAPE_TEXT, REQUIRED, .help = "`create`, `change`, `delete`, `revert` or `restore`." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "The name it had then." },
	{ "changes", SHAPE_OBJECTS, REQUIRED, .of = &shape_value_change, .help = "What changed." });
LIST(shape_policy_history, "PolicyHistory", shape_policy_history_entry);

SHAPE(shape_revert_request, "RevertRequest", "How far back.",
	{ "version", SHAPE_NUMBER, REQUIRED, 1, INT64_MAX, .help = "The version to go back to, as its history lists them." });

SHAPE(shape_policy_deleted_entry, "DeletedPolicy", "A policy that was deleted and can be restored.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "The name it had." },
	{ "parent", SHAPE_TEXT, NULLABLE, .help = "The policy that it stood below." },
	{ "overrides", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "How many settings it set itself." },
	{ "version", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "That of its deletion." },
	{ "deleted", SHAPE_TIME, REQUIRED, .help = "When." },
	{ "deleted_by", SHAPE_TEXT, REQUIRED, .help = "By whom." });
LIST(shape_policies_deleted, "DeletedPolicies", shape_policy_deleted_entry);

SHAPE(shape_policy_restore_request, "PolicyRestoreRequest", "What is to be other than when it was deleted.",
	{ "name", SHAPE_NAME, .max = 255, .help = "Its name, when another policy has that by now." },
	{ "parent", SHAPE_NAME, .max = 255, .help = "Id or name of the policy above it, when that is gone." });
/* clang-format on */
