/* Tables only. Who may do what, and who did: sessions, tokens, deployments, users, the audit log. */
#include "manager/api/shapes.h"

#include "manager/api/accounts.h"
#include "manager/api/shape_rows.h"

/* clang-format off */
/* --- sessions --- */

const char *const shape_roles[] = { "viewer", "operator", "administrator", "auditor", NULL };
_Static_assert(COUNT_OF(shape_roles) == ROLE_COUNT_ + 1, "a word for each role");
static const char *const actor_kinds[] = { "user", "token", "system", NULL };

SHAPE(shape_sign_in, "SignIn", "A user's name and password.",
	{ "user", SHAPE_TEXT, REQUIRED, 1, ACCOUNT_NAME_MAX_BYTES, .help = "Name of the user." },
	{ "password", SHAPE_SECRET, REQUIRED, 1, 256, .help = "The password." });

SHAPE(shape_session, "Session", "A session that began.",
	{ "token", SHAPE_SECRET, REQUIRED, .help = "Bearer token; shown this once." },
	{ "expires", SHAPE_TIME, REQUIRED, .help = "When the session ends." },
	{ "role", SHAPE_CHOICE, REQUIRED, .choices = shape_roles, .help = "What the user may do." });

SHAPE(shape_principal, "Principal", "Who calls.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "Id of the user or token." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Name of the user or token." },
	{ "kind", SHAPE_CHOICE, REQUIRED, .choices = actor_kinds, .help = "A user's session, or a token." },
	{ "role", SHAPE_CHOICE, REQUIRED, .choices = shape_roles, .help = "What the caller may do." },
	{ "expires", SHAPE_TIME, REQUIRED, .help = "When the token ends." });

/* --- API tokens --- */

SHAPE(shape_token_request, "TokenRequest", "A new API token.",
	{ "name", SHAPE_NAME, REQUIRED, .max = ACCOUNT_NAME_MAX_BYTES, .help = "What it is for; shown in the audit log." },
	{ "role", SHAPE_CHOICE, REQUIRED, .choices = shape_roles, .help = "What it may do." },
	{ "expires", SHAPE_WHEN, .help = "When it ends; 90 days from now if not given." });

#define TOKEN_FIELDS                                                                                         \
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },                                                     \
	{ "name", SHAPE_TEXT, REQUIRED, .help = "What it is for." },                                           \
	{ "role", SHAPE_CHOICE, REQUIRED, .choices = shape_roles, .help = "What it may do." },                 \
	{ "created", SHAPE_TIME, REQUIRED, .help = "When it was made." },                                      \
	{ "created_by", SHAPE_TEXT, REQUIRED, .help = "By whom." },                                            \
	{ "expires", SHAPE_TIME, REQUIRED, .help = "When it ends." },                                          \
	{ "revoked", SHAPE_TIME, NULLABLE, .help = "When it was revoked." },                                   \
	{ "last_used", SHAPE_TIME, NULLABLE, .help = "When it was last used, to about a minute." }
SHAPE(shape_token, "Token", "An API token, without its secret.", TOKEN_FIELDS);

SHAPE(shape_new_token, "NewToken", "An API token just made.", TOKEN_FIELDS,
	{ "token", SHAPE_SECRET, REQUIRED, .help = "The bearer token; shown this once." });
LIST(shape_tokens, "Tokens", shape_token);

/* --- enrolment tokens, and the lines that hold one --- */

SHAPE(shape_enrolment_token_request, "EnrolmentTokenRequest", "A new enrolment token.",
	{ "name", SHAPE_NAME, .max = ACCOUNT_NAME_MAX_BYTES, .help = "What it is for." },
	{ "policy", SHAPE_NAME, .max = 255, .help = "Policy of computers that enrol with it." },
	{ "group", SHAPE_NAME, .max = 255, .help = "Group of computers that enrol with it." },
	{ "appliance", SHAPE_BOOLEAN, .help = "Are those that enrol with it appliances, which are only bidirectional? false if not given." },
	{ "uses", SHAPE_NUMBER, SHAPE_NULLABLE, 1, 1000000, .help = "How many computers may enrol; null or absent: any number." },
	{ "expires", SHAPE_WHEN, .help = "When it ends; 24 hours from now if not given." });

const char *const shape_deployment_forms[] = { "once", "login", "cron", NULL };

SHAPE(shape_deployment_request, "DeploymentRequest", "A line that installs agents.",
	{ "name", SHAPE_NAME, .max = ACCOUNT_NAME_MAX_BYTES, .help = "What it is for." },
	{ "policy", SHAPE_NAME, .max = 255, .help = "Policy of computers that are installed with it." },
	{ "group", SHAPE_NAME, .max = 255, .help = "Group of computers that are installed with it." },
	{ "appliance", SHAPE_BOOLEAN, .help = "Are they appliances, which are only bidirectional? false if not given." },
	{ "uses", SHAPE_NUMBER, 0, 1, 1000000, .help = "How many computers may enrol with it; 1 if not given." },
	{ "expires", SHAPE_WHEN, .help = "When no more may enrol with it; 24 hours from now if not given. Updates go on." },
	{ "platform", SHAPE_TEXT, 0, 1, 63, .help = "What the manager must have a package for: `linux-x86_64` if not given." },
	{ "form", SHAPE_CHOICE, .choices = shape_deployment_forms, .help = "`once`: to paste into a root shell. `login`: for a script that root runs at each boot or login; quiet, in the background. `cron`: a file for /etc/cron.d. The latter two install where the agent is missing and update it otherwise. `once` if not given." },
	{ "url", SHAPE_TEXT, 0, 1, 300, .help = "https://HOST:PORT by which new computers reach the manager, where that is not the manager's own; a name that its certificate has." });

#define ENROLMENT_TOKEN_FIELDS                                                                               \
	{ "id", SHAPE_UUID, REQUIRED, .help = "Its id." },                                                     \
	{ "name", SHAPE_TEXT, REQUIRED, .help = "What it is for." },                                           \
	{ "policy", SHAPE_TEXT, REQUIRED, .help = "Policy of computers that enrol with it, empty: the default." }, \
	{ "group", SHAPE_TEXT, REQUIRED, .help = "Group of computers that enrol with it." },                   \
	{ "appliance", SHAPE_BOOLEAN, REQUIRED, .help = "Are those that enrol with it appliances?" },          \
	{ "uses_left", SHAPE_NUMBER, NULLABLE, NOTHING_OR_MORE, .help = "How many more may enrol; null: any number." }, \
	{ "created", SHAPE_TIME, REQUIRED, .help = "When it was made." },                                      \
	{ "created_by", SHAPE_TEXT, REQUIRED, .help = "By whom." },                                            \
	{ "expires", SHAPE_TIME, REQUIRED, .help = "When it ends." },                                          \
	{ "revoked", SHAPE_TIME, NULLABLE, .help = "When it was revoked." },                                   \
	{ "last_used", SHAPE_TIME, NULLABLE, .help = "When a computer last enrolled with it." }
SHAPE(shape_enrolment_token, "EnrolmentToken", "An enrolment token, without its secret.", ENROLMENT_TOKEN_FIELDS);

SHAPE(shape_new_enrolment_token, "NewEnrolmentToken", "An enrolment token just made.", ENROLMENT_TOKEN_FIELDS,
	{ "token", SHAPE_SECRET, REQUIRED, .help = "What agents enrol with; shown this once." },
	{ "ca_fingerprint", SHAPE_TEXT, REQUIRED, .help = "What agents check the manager by." });
LIST(shape_enrolment_tokens, "EnrolmentTokens", shape_enrolment_token);

SHAPE(shape_deployment, "Deployment", "A line that installs agents, just made.", ENROLMENT_TOKEN_FIELDS,
	{ "token", SHAPE_SECRET, REQUIRED, .help = "The enrolment token in it; shown this once." },
	{ "ca_fingerprint", SHAPE_TEXT, REQUIRED, .help = "What the line checks the manager by." },
	{ "platform", SHAPE_TEXT, REQUIRED, .help = "What there is a package for." },
	{ "agent_version", SHAPE_TEXT, REQUIRED, .help = "Which version of the agent the manager gives out now." },
	{ "form", SHAPE_CHOICE, REQUIRED, .choices = shape_deployment_forms, .help = "What it is for." },
	{ "script", SHAPE_SECRET, REQUIRED, .help = "The line, or the file's content. Holds the token." });

/* --- users --- */

SHAPE(shape_user_request, "UserRequest", "A new user.",
	{ "name", SHAPE_NAME, REQUIRED, .max = ACCOUNT_NAME_MAX_BYTES, .help = "Name to sign in with." },
	{ "role", SHAPE_CHOICE, REQUIRED, .choices = shape_roles, .help = "What the user may do." },
	{ "password", SHAPE_SECRET, 0, 1, 256, .help = "The password; one is made and given in the answer if absent." });

SHAPE(shape_password_request, "PasswordRequest", "A new password.",
	{ "password", SHAPE_SECRET, REQUIRED, 1, 256, .help = "The new password." },
	{ "current", SHAPE_SECRET, 0, 1, 256, .help = "The present one; needed for one's own." });

SHAPE(shape_user, "User", "A person who may sign in.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "The id." },
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Name to sign in with." },
	{ "role", SHAPE_CHOICE, REQUIRED, .choices = shape_roles, .help = "What the user may do." },
	{ "created", SHAPE_TIME, REQUIRED, .help = "When the user was made." },
	{ "last_sign_in", SHAPE_TIME, NULLABLE, .help = "Last sign-in." },
	{ "locked_until", SHAPE_TIME, NULLABLE, .help = "Locked out until then, after too many refusals, but not where the user signed in well of late." },
	{ "password", SHAPE_SECRET, 0, .help = "The password that was made; shown this once." });
LIST(shape_users, "Users", shape_user);

/* --- audit --- */

SHAPE(shape_audit_query, "AuditQuery", "Which entries; newest first.",
	{ "since", SHAPE_TIME, .help = "Only those made at or after this moment." },
	{ "action", SHAPE_TEXT, 0, 1, 64, .help = "Only this action, such as `token.create`." },
	{ "actor", SHAPE_NAME, .max = 255, .help = "Only what this user or token did." },
	PAGING);

SHAPE(shape_audit_entry, "AuditEntry", "Who did what.",
	{ "number", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "1, 2, … without gaps." },
	{ "time", SHAPE_TIME, REQUIRED, .help = "When." },
	{ "actor_kind", SHAPE_TEXT, REQUIRED, .help = "`user`, `token` or `system`." },
	{ "actor", SHAPE_TEXT, REQUIRED, .help = "Who." },
	{ "actor_id", SHAPE_UUID, NULLABLE, .help = "The user's or token's id." },
	{ "source", SHAPE_TEXT, REQUIRED, .help = "Address it came from, empty for none." },
	{ "action", SHAPE_TEXT, REQUIRED, .help = "What, such as `token.create`." },
	{ "object", SHAPE_TEXT, REQUIRED, .help = "To what: an id or a name." },
	{ "detail", SHAPE_TEXT, REQUIRED, .help = "More, as JSON or empty." },
	{ "outcome", SHAPE_TEXT, REQUIRED, .help = "`done`, or the name of an error." },
	{ "chain", SHAPE_TEXT, REQUIRED, .help = "SHA-256 over the entry before and this one." });
LIST(shape_audit, "Audit", shape_audit_entry);
/* clang-format on */
