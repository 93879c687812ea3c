/* Tables only. The manager itself: how it is, its settings, its keys, its ports. */
#include "manager/api/shapes.h"

#include "manager/api/shape_rows.h"

/* clang-format off */
/* --- how it is --- */

SHAPE(shape_system, "System", "The manager itself.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "version", SHAPE_TEXT, REQUIRED, .help = "Its version." },
	{ "url", SHAPE_TEXT, REQUIRED, .help = "Where agents and people reach it." },
	{ "ca_fingerprint", SHAPE_TEXT, REQUIRED, .help = "SHA-256 of its CA certificate." },
	{ "server_authentication_fingerprint", SHAPE_TEXT, REQUIRED, .help = "SHA-256 of its server authentication key." },
	{ "server_authentication_present", SHAPE_BOOLEAN, REQUIRED, .help = "Is that key there? false: no order can be signed." },
	{ "authority_present", SHAPE_BOOLEAN, REQUIRED, .help = "Can the CA's key be used? false: no certificate can be issued or renewed." },
	{ "key_files_in_order", SHAPE_BOOLEAN, REQUIRED, .help = "Do the files of its keys hold what it works with? false: a key is in its memory alone (GET /key-files)." },
	{ "agents_without_valid_certificate", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Agents that trust another key (GET /server-key/mismatched)." },
	{ "agent_port", SHAPE_NUMBER, REQUIRED, 0, 65535, .help = "Where agents listen unless told otherwise." },
	{ "tls_profiles", SHAPE_TEXTS, REQUIRED, .help = "TLS profiles that any of its listeners accepts." },
	{ "legacy_tls", SHAPE_BOOLEAN, REQUIRED, .help = "Is a legacy one among them?" },
	{ "started", SHAPE_TIME, REQUIRED, .help = "When it started." },
	{ "time", SHAPE_TIME, REQUIRED, .help = "Its clock." },
	{ "computers", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Computers known." },
	{ "online", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them online." },
	{ "offline", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them offline." },
	{ "vm_stopped", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them virtual machines that are shut off." },
	{ "unknown", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Of them not heard yet, since they were added or the manager started." },
	{ "connected", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Held connections of agents." },
	{ "connections_max", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Connections it takes at most." },
	{ "open_files_limit", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Descriptors the system lets it have." },
	{ "commands_open", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Commands that have not ended." },
	{ "quarantine_bytes", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Bytes of quarantined files here." },
	{ "quarantine_capacity_bytes", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Room for them." });

SHAPE(shape_health, "Health", "Able to serve?",
	{ "status", SHAPE_TEXT, REQUIRED, .help = "`ok`, or the reason." });

/* --- settings --- */

static const char *const setting_types[] = { "size", "duration", "number", "choice", "text", "boolean", NULL };

const struct shape shape_settings_request = {
	"SettingsRequest", "Names of settings with their new values as text; null goes back to the default. All or none.",
	NULL, 0, .open = true
};

SHAPE(shape_setting, "Setting", "A setting kept in the database.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "value", SHAPE_TEXT, REQUIRED, .help = "Its value." },
	{ "default", SHAPE_TEXT, REQUIRED, .help = "Its default." },
	{ "is_default", SHAPE_BOOLEAN, REQUIRED, .help = "Is the default in force?" },
	{ "type", SHAPE_CHOICE, REQUIRED, .choices = setting_types, .help = "What values it takes." },
	{ "allowed", SHAPE_TEXT, REQUIRED, .help = "What is allowed, in words." },
	{ "help", SHAPE_TEXT, REQUIRED, .help = "What it does." });
LIST(shape_settings, "Settings", shape_setting);

/* --- certificates --- */

SHAPE(shape_certificate, "Certificate", "A certificate that the manager itself lives by.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "authority, authority-next, authority-former, server, server-rsa or dialling." },
	{ "purpose", SHAPE_TEXT, REQUIRED, .help = "What it is for." },
	{ "subject", SHAPE_TEXT, REQUIRED, .help = "Whose it is, as in RFC 2253." },
	{ "issuer", SHAPE_TEXT, REQUIRED, .help = "Who signed it." },
	{ "fingerprint", SHAPE_TEXT, REQUIRED, .help = "SHA-256 of it." },
	{ "not_before", SHAPE_TIME, REQUIRED, .help = "Since when it is good: a day before it was made, for clocks that are slow." },
	{ "not_after", SHAPE_TIME, REQUIRED, .help = "Until when." },
	{ "days_left", SHAPE_NUMBER, REQUIRED, INT32_MIN, INT32_MAX, .help = "Whole days until then; below zero: it has ended." },
	{ "renews_itself", SHAPE_BOOLEAN, REQUIRED, .help = "Is it renewed in time without anybody doing anything?" },
	{ "renews_at", SHAPE_TIME, NULLABLE, .help = "When, if so." },
	{ "own", SHAPE_BOOLEAN, REQUIRED, .help = "Did an administrator bring it, from another authority?" },
	{ "key", SHAPE_TEXT, REQUIRED, .help = "What kind of key it has, such as EC or RSA." },
	{ "file", SHAPE_TEXT, REQUIRED, .help = "Where it is, below the manager's data directory." },
	{ "waits_for", SHAPE_NUMBER, NULLABLE, NOTHING_OR_MORE, .help = "Of authority-next: how many connected agents have not got it yet; its turn waits for them." },
	{ "turns_by", SHAPE_TIME, NULLABLE, .help = "When it waits for them no more." },
	{ "problem", SHAPE_TEXT, NULLABLE, .help = "What keeps it from doing its work, if anything; of the authority: why nothing can be issued." });
LIST(shape_certificates, "Certificates", shape_certificate);

/* --- the files of keys --- */

SHAPE(shape_key_files_rewrite, "KeyFilesRewrite", "Key files to be written anew.",
	{ "force", SHAPE_BOOLEAN, 0, .help = "Also in place of a file that somebody has put there, which is kept beside it as NAME.replaced." });

SHAPE(shape_key_file, "KeyFile", "The file of one of the manager's keys.",
	{ "file", SHAPE_TEXT, REQUIRED, .help = "Where it is, below the manager's data directory." },
	{ "in_memory", SHAPE_BOOLEAN, REQUIRED, .help = "Does the manager have the key? false: it is missing (`authority_present`, `server_authentication_present` of the system)." },
	{ "in_order", SHAPE_BOOLEAN, REQUIRED, .help = "Does the file hold it? false, while it is in memory: it is lost with the next start." },
	{ "problem", SHAPE_TEXT, NULLABLE, .help = "What is wrong with the file, if anything." });
LIST(shape_key_files, "KeyFiles", shape_key_file);

/* --- the server authentication key --- */

SHAPE(shape_server_key_request, "ServerKeyRequest", "Another server authentication key.",
	{ "roll_over", SHAPE_BOOLEAN, 0, .help = "The present key signs the next one, so that every agent follows: true if not given." },
	{ "force", SHAPE_BOOLEAN, 0, .help = "Needed without a roll-over: every agent is lost until it is repaired on its machine." });

SHAPE(shape_server_key_import, "ServerKeyImport", "A private key from elsewhere.",
	{ "key", SHAPE_SECRET, SHAPE_REQUIRED, 1, 4096, .help = "An Ed25519 key, PKCS#8 in PEM." },
	{ "force", SHAPE_BOOLEAN, 0, .help = "Over another key that is present, which then signs this one." });

SHAPE(shape_key_backup_request, "KeyBackupRequest", "A backup of the manager's keys.",
	{ "password", SHAPE_SECRET, SHAPE_REQUIRED, 8, 256, .help = "Without it nobody opens the file." });

SHAPE(shape_key_backup, "KeyBackup", "A backup of the manager's keys.",
	{ "file", SHAPE_TEXT, REQUIRED, .help = "The file, as base64." });

SHAPE(shape_key_restore_request, "KeyRestoreRequest", "A backup of the manager's keys, to be restored.",
	{ "file", SHAPE_TEXT, SHAPE_REQUIRED, 1, 100000, .help = "The file, as base64." },
	{ "password", SHAPE_SECRET, SHAPE_REQUIRED, 1, 256, .help = "With which it was made." },
	{ "force", SHAPE_BOOLEAN, 0, .help = "Over another key that is present: agents that trust that one are lost." });

SHAPE(shape_known_key, "KnownKey", "A server authentication key that this manager has had.",
	{ "fingerprint", SHAPE_TEXT, REQUIRED, .help = "SHA-256 of the public key." },
	{ "standing", SHAPE_TEXT, REQUIRED, .help = "present; before: it leads to the present one, agents follow; mismatched: it does not." },
	{ "origin", SHAPE_TEXT, REQUIRED, .help = "created, rolled_over, imported or restored." },
	{ "created", SHAPE_TIME, REQUIRED, .help = "When this manager first had it." },
	{ "since", SHAPE_TIME, REQUIRED, .help = "When it last became the present one." },
	{ "until", SHAPE_TIME, NULLABLE, .help = "When another one did." },
	{ "backed_up", SHAPE_TIME, NULLABLE, .help = "When it was last backed up." },
	{ "made_by", SHAPE_TEXT, REQUIRED, .help = "By whom." },
	{ "agents", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Agents that said last that they trust it." });

SHAPE(shape_server_key, "ServerKey", "The key by which agents know this manager's orders.",
	{ "present", SHAPE_BOOLEAN, REQUIRED, .help = "Is it there? false: no order can be signed; restore it from its backup." },
	{ "fingerprint", SHAPE_TEXT, REQUIRED, .help = "SHA-256 of the public key." },
	{ "public_key", SHAPE_TEXT, REQUIRED, .help = "The public key in PEM, as agents take it." },
	{ "agents", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Agents that trust it." },
	{ "following", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Agents that trust one before it, and follow with their next report." },
	{ "mismatched", SHAPE_NUMBER, REQUIRED, NOTHING_OR_MORE, .help = "Agents that trust another: they take no orders." },
	{ "keys", SHAPE_OBJECTS, REQUIRED, .of = &shape_known_key, .help = "All that there were, the latest first." });

SHAPE(shape_mismatched_agent, "MismatchedAgent", "An agent without a valid server certificate.",
	{ "id", SHAPE_UUID, REQUIRED, .help = "The computer." },
	{ "computer", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "address", SHAPE_TEXT, REQUIRED, .help = "Where it was last heard from." },
	{ "policy", SHAPE_TEXT, REQUIRED, .help = "Its policy." },
	{ "group", SHAPE_TEXT, REQUIRED, .help = "Its group." },
	{ "trusted_key_fingerprint", SHAPE_TEXT, REQUIRED, .help = "The key that it trusts." },
	{ "since", SHAPE_TIME, NULLABLE, .help = "Since when it trusts that one; null: since before it was noted." },
	{ "last_contact", SHAPE_TIME, NULLABLE, .help = "When it last reported." });
LIST(shape_mismatched_agents, "MismatchedAgents", shape_mismatched_agent);

/* --- TLS and ports --- */

SHAPE(shape_tls_profile, "TlsProfile", "Which versions and suites of TLS go together, and for whom.",
	{ "name", SHAPE_TEXT, REQUIRED, .help = "Its name." },
	{ "agents", SHAPE_TEXT, REQUIRED, .help = "Whom it is for." },
	{ "versions", SHAPE_TEXTS, REQUIRED, .help = "Of TLS." },
	{ "suites", SHAPE_TEXTS, REQUIRED, .help = "Of TLS 1.2 and before, best first; TLS 1.3 has its own." },
	{ "legacy", SHAPE_BOOLEAN, REQUIRED, .help = "Does it let go of what keeps connections secret?" },
	{ "fips", SHAPE_BOOLEAN, REQUIRED, .help = "Is it served by OpenSSL's FIPS provider alone?" },
	{ "enabled", SHAPE_BOOLEAN, REQUIRED, .help = "Does any of this manager's listeners accept it?" },
	{ "listeners", SHAPE_TEXTS, REQUIRED, .help = "Addresses and ports of those." },
	{ "served", SHAPE_BOOLEAN, REQUIRED, .help = "Could it: does its OpenSSL have all of it?" },
	{ "cause", SHAPE_TEXT, REQUIRED, .help = "Why not; empty if it could." });
LIST(shape_tls_profiles, "TlsProfiles", shape_tls_profile);

static const char *const port_states[] = { "not tried", "off", "listening", "not listening", "reachable", "unreachable", NULL };

SHAPE(shape_port, "Port", "A port on which somebody listens for somebody.",
	{ "from", SHAPE_TEXT, REQUIRED, .help = "Who connects." },
	{ "to", SHAPE_TEXT, REQUIRED, .help = "To whom." },
	{ "name", SHAPE_TEXT, NULLABLE, .help = "Of the destination or hypervisor." },
	{ "protocol", SHAPE_TEXT, REQUIRED, .help = "What is spoken." },
	{ "address", SHAPE_TEXT, NULLABLE, .help = "Where; null: at each agent's own address, or nowhere." },
	{ "port", SHAPE_NUMBER, NULLABLE, 1, 65535, .help = "Its number." },
	{ "purpose", SHAPE_TEXT, REQUIRED, .help = "What for." },
	{ "setting", SHAPE_TEXT, REQUIRED, .help = "Which setting, or which command, decides it." },
	{ "state", SHAPE_CHOICE, REQUIRED, .choices = port_states, .help = "How it stands; `off`: by the settings." },
	{ "detail", SHAPE_TEXT, REQUIRED, .help = "Why it is not reachable, or what else there is to know; may be empty." });
LIST(shape_ports, "Ports", shape_port);
/* clang-format on */
