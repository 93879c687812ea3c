/* The rows, and what reads them. Text of values and names is untrusted. */
#include "policy/settings.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "policy/effective.h"

#define AT(member) .offset = offsetof(struct effective, member)

/* clang-format off */
const struct setting policy_settings[SETTINGS_COUNT] = {
	[SETTING_AGENT_UNLOAD_PASSWORD] = {
		{ .key = "agent.unload_password", .type = CONF_PASSWORD, .flags = CONF_SECRET, AT(unload_password),
		  .initial = "" },
		"", NULL, SETTING_BY_LINK, false,
		"The password without which nobody stops, moves, resets or uninstalls an agent on its computer, or has it "
		"trust another key of the manager. Kept as a salted Argon2id hash and never shown. Empty: none is asked "
		"for.",
		"コンピュータ上でエージェントの停止、移動、リセット、アンインストール、別のマネージャ鍵の信頼に必要なパスワード。"
		"Argon2id のソルト付きハッシュとして保存され、表示されません。空の場合は要求しません。" },
	[SETTING_LINK_CLOCK_CHANGE] = {
		{ .key = "link.clock_change", .type = CONF_SPAN, .flags = CONF_MAY_BE_UNLIMITED, AT(clock_change_us),
		  .min = SECOND_US, .max = 24 * HOUR_US, .initial = "unlimited" },
		"", NULL, SETTING_BY_MANAGER | SETTING_BY_LINK, false,
		"How far a computer's clock may change before the alert Computer Clock Change is raised. unlimited: "
		"never.",
		"コンピュータの時計がどれだけ変わると「コンピュータの時計の変更」アラートを出すか。unlimited は出しません。" },
	[SETTING_LINK_DIRECTION] = {
		{ .key = "link.direction", .type = CONF_CHOICE, AT(direction),
		  .choices = LINK_DIRECTION_CHOICES, .initial = "bidirectional" },
		"", NULL, SETTING_BY_MANAGER | SETTING_BY_LINK, false,
		"Who opens connections. bidirectional: the agent reports, and the manager also dials it. "
		"manager-initiated: only the manager dials; the agent listens and takes no other caller. agent-initiated: "
		"only the agent dials and has no open port. So that none is lost to a setting that one of the two missed, "
		"an agent that nobody has dialled for a day asks by itself, and so does one that finds itself on another "
		"machine until it is dialled there; the manager tries one that is offline about "
		"once an hour, unless it has no open port.",
		"接続を開く側。bidirectional はエージェントが報告し、マネージャからも接続します。manager-initiated は"
		"マネージャだけが接続します。agent-initiated はエージェントだけが接続し、ポートを開きません。"
		"設定の行き違いで失われないよう、1 日間接続されなかったエージェントと、別のマシンで起動したエージェントは自分から問い合わせ、マネージャはオフラインの"
		"エージェントに (ポートを開かないものを除き) およそ 1 時間ごとに接続を試みます。" },
	[SETTING_LINK_HEARTBEAT_INTERVAL] = {
		{ .key = "link.heartbeat_interval", .type = CONF_SPAN, AT(heartbeat_interval_us),
		  .min = 10 * SECOND_US, .max = 24 * HOUR_US, .initial = "10m" },
		"", "1m 2m 3m 4m 5m 10m 15m 20m 30m 1h", SETTING_BY_MANAGER | SETTING_BY_LINK, false,
		"How often an agent reports when there is nothing new.",
		"変化がないときにエージェントが報告する間隔。" },
	[SETTING_LINK_MISSED_HEARTBEATS] = {
		{ .key = "link.missed_heartbeats", .type = CONF_NUMBER, .flags = CONF_MAY_BE_UNLIMITED,
		  AT(missed_heartbeats), .min = 0, .max = 100, .initial = "2" },
		"heartbeats", NULL, SETTING_BY_MANAGER, false,
		"How many heartbeats may be lost before a computer is offline: with 3 the alert is raised when the 4th is "
		"lost. unlimited: never, for laptops.",
		"オフラインとみなすまでに失われてよいハートビートの数。3 なら 4 回目が失われたときにアラートを出します。"
		"unlimited は出しません（ノート PC 向け）。" },
	[SETTING_LINK_OFFLINE_ERROR_INACTIVE_VM] = {
		{ .key = "link.offline_error_inactive_vm", .type = CONF_BOOLEAN, AT(offline_error_inactive_vm),
		  .initial = "no" },
		"", NULL, SETTING_BY_MANAGER, false,
		"Whether a virtual machine that is shut off counts as offline.",
		"停止している仮想マシンをオフラインのエラーとして扱うか。" },
	[SETTING_LINK_POLL] = {
		{ .key = "link.poll", .type = CONF_CHOICE, AT(poll), .choices = "held periodic", .initial = "held" },
		"", NULL, SETTING_BY_LINK, false,
		"held: the manager holds each exchange open, so that commands and policies arrive at once. periodic: the "
		"agent asks every link.poll_interval, for networks that cut idle connections.",
		"held はマネージャが接続を保持し、コマンドとポリシーがすぐに届きます。periodic は link.poll_interval ごとに"
		"問い合わせます（待機中の接続が切られるネットワーク向け）。" },
	[SETTING_LINK_POLL_INTERVAL] = {
		{ .key = "link.poll_interval", .type = CONF_SPAN, AT(poll_interval_us), .min = SECOND_US,
		  .max = 24 * HOUR_US, .initial = "1m" },
		"", NULL, SETTING_BY_LINK, false,
		"How often the agent asks when link.poll is periodic.",
		"link.poll が periodic のときに問い合わせる間隔。" },
	[SETTING_LINK_TLS_PROFILE] = {
		{ .key = "link.tls_profile", .type = CONF_CHOICE, AT(tls_profile), .choices = LINK_TLS_PROFILES,
		  .initial = "modern" },
		"", NULL, SETTING_BY_LINK, false,
		"With which TLS versions and suites the agent connects to the manager (muster tls profiles has the table). "
		"A listener of the manager must have the same profile (tls_profiles in manager.ini). An agent that does "
		"not reach its manager with it within 3 minutes goes back to the one before and says so. The agent's own "
		"port takes modern alone.",
		"エージェントがマネージャへ接続するときの TLS のバージョンと暗号スイート（表は muster tls profiles）。マネージャの"
		"リスナーにも同じプロファイルが必要です（manager.ini の tls_profiles）。3 分以内に接続できなければ元に戻し、"
		"その旨を報告します。エージェント自身のポートは modern だけです。" },
	[SETTING_QUARANTINE_MAX_FILE_SIZE] = {
		{ .key = "quarantine.max_file_size", .type = CONF_SIZE, AT(quarantine_max_file_bytes), .min = 0,
		  .max = (int64_t)1 << 40, .initial = "5MB" },
		"bytes", NULL, SETTING_BY_MANAGER | SETTING_BY_LINK, false,
		"The largest quarantined file that is sent to the manager. Larger ones stay on their computer. 0: none is "
		"sent. The manager's own setting of this name limits it for all computers.",
		"マネージャへ送る隔離ファイルの最大サイズ。より大きいものはコンピュータに残ります。0 は送りません。" },
	[SETTING_SCAN_CPU_LIMIT] = {
		{ .key = "scan.cpu_limit", .type = CONF_NUMBER, AT(cpu_limit_percent), .min = 1, .max = 100,
		  .initial = "100" },
		"per cent", NULL, SETTING_BY_GUARD | SETTING_BY_SCAN, false,
		"Per cent of its time that each scan worker may work.",
		"各検索ワーカーが動作してよい時間の割合（パーセント）。" },
	[SETTING_SCAN_EXCLUDE_PATHS] = {
		{ .key = "scan.exclude_paths", .type = CONF_PATHS, AT(exclude_paths), .min = 0, .max = CONF_PATHS_MAX,
		  .initial = "" },
		"", NULL, SETTING_BY_GUARD, false,
		"Files and directories that are never scanned: absolute paths, separated by commas; * and ? and [ ] as in "
		"the shell, none of which matches a slash. A comma within a path is written \\x2c.",
		"検索しないファイルとディレクトリ。絶対パスをコンマで区切ります。" },
	[SETTING_SCAN_MAX_FILE_SIZE] = {
		{ .key = "scan.max_file_size", .type = CONF_SIZE, AT(scan_max_file_bytes), .min = 1024,
		  .max = (int64_t)1 << 31, .initial = "100MB" },
		"bytes", NULL, SETTING_BY_GUARD | SETTING_BY_SCAN, false,
		"Larger files are reported as not fully scanned.",
		"これより大きいファイルは「完全には検索していない」と報告します。" },
};
/* clang-format on */

const char *setting_name(enum setting_id id)
{
	return policy_settings[id].value.key;
}

const char *setting_default(enum setting_id id)
{
	return policy_settings[id].value.initial;
}

enum setting_id setting_find(const char *name)
{
	unsigned low = 0, high = SETTINGS_COUNT;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		int order = strcmp(setting_name(middle), name);

		if (order == 0)
			return (enum setting_id)middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return SETTINGS_COUNT;
}

/* --- the nearest name --- */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Behind the dot: what people remember of "heartbeat_interval". */
static const char *last_word(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL ? dot + 1 : name;
}

static size_t unlikeness(const char *known, const char *name)
{
	return least(text_distance(name, known), text_distance(last_word(name), last_word(known)) + 1);
}

const char *setting_nearest(const char *name)
{
	size_t size = strnlen(name, SETTING_NAME_MAX_BYTES + 1);
	const char *nearest = NULL;
	size_t best = 1 + size / 3;

	if (size > SETTING_NAME_MAX_BYTES)
		return NULL;
	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		size_t far = unlikeness(setting_name(id), name);

		if (far < best || (far == best && nearest == NULL)) {
			best = far;
			nearest = setting_name(id);
		}
	}
	return nearest;
}

/* --- words --- */

static const char *const type_names[] = {
	[CONF_TEXT] = "text",   [CONF_PATH] = "text",         [CONF_NUMBER] = "number", [CONF_SPAN] = "duration",
	[CONF_SIZE] = "size",   [CONF_BOOLEAN] = "boolean",   [CONF_CHOICE] = "choice", [CONF_LISTEN] = "text",
	[CONF_PATHS] = "paths", [CONF_PASSWORD] = "password",
};

const char *setting_type_name(enum setting_id id)
{
	return type_names[policy_settings[id].value.type];
}

static const struct {
	enum setting_component bit;
	const char *name;
} components[] = {
	{ SETTING_BY_MANAGER, "manager" },
	{ SETTING_BY_LINK, "link" },
	{ SETTING_BY_GUARD, "guard" },
	{ SETTING_BY_SCAN, "scan" },
};

void setting_components_text(enum setting_id id, struct buf *out)
{
	bool first = true;

	for (size_t i = 0; i < COUNT_OF(components); i++) {
		if ((policy_settings[id].components & components[i].bit) == 0)
			continue;
		buf_append_text(out, first ? "" : ", ");
		buf_append_text(out, components[i].name);
		first = false;
	}
}

/* --- values --- */

int setting_canonical(enum setting_id id, const char *text, struct buf *out, struct err *err)
{
	const struct conf_row *row = &policy_settings[id].value;
	union conf_value value = { 0 };
	int rc = conf_value_parse(row, text, &value, err);

	if (rc != 0)
		return rc;
	conf_value_format(row, &value, out);
	conf_value_done(row, &value);
	return out->status == 0 ? 0 : err_set(err, out->status, "the value is too long");
}

bool setting_is_secret(enum setting_id id)
{
	return id < SETTINGS_COUNT && (policy_settings[id].value.flags & CONF_SECRET) != 0;
}

const char *setting_shown(enum setting_id id, const char *value)
{
	return setting_is_secret(id) && value[0] != '\0' ? SETTING_SHOWN_SECRET : value;
}

/* --- the reference --- */

static void cell(struct buf *out, const char *text)
{
	buf_append_text(out, " ");
	for (; *text != '\0'; text++)
		buf_append_text(out, *text == '|' ? "\\|" : (const char[]){ *text, '\0' });
	buf_append_text(out, " |");
}

static void refer_setting(enum setting_id id, struct buf *out)
{
	const struct setting *setting = &policy_settings[id];
	struct buf text;

	buf_init(&text, CONF_VALUE_BYTES);
	buf_printf(out, "| `%s` |", setting->value.key);
	conf_value_allowed(&setting->value, &text);
	cell(out, buf_text(&text));
	cell(out, setting->value.initial[0] != '\0' ? setting->value.initial : "none");
	buf_reset(&text);
	setting_components_text(id, &text);
	cell(out, buf_text(&text));
	cell(out, setting->restart ? "at its next start" : "at once");
	cell(out, setting->help_english);
	buf_append_text(out, "\n");
	buf_done(&text);
}

void settings_reference(struct buf *out)
{
	buf_append_text(
	    out, "## policies and computers\n\n"
		 "Set with `muster policy set POLICY NAME=VALUE` or `muster computer set COMPUTER NAME=VALUE`; what "
		 "is not set is inherited. What the manager alone applies is not sent to agents.\n\n"
		 "| name | allowed | default | applied by | takes effect | meaning |\n|---|---|---|---|---|---|\n");
	for (unsigned id = 0; id < SETTINGS_COUNT; id++)
		refer_setting(id, out);
	buf_append_text(out, "\n");
}
