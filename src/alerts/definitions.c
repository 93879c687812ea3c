/* The alerts of specification 15, a row each. Constant, trusted. */
#include <string.h>

#include "alerts/alerts.h"

/* clang-format off */
const struct alert_definition alert_definitions[ALERT_KINDS] = {
	[ALERT_COMPUTER_OFFLINE] = {
		"computer_offline", ALERT_CRITICAL, .resolves = true, .of_computer = true,
		.title = { "Computer offline", "コンピュータがオフライン" },
		.text = { "{computer} is offline: {detail}.", "{computer} がオフラインです: {detail}。" } },
	[ALERT_COMMUNICATION_PROBLEM] = {
		"communication_problem", ALERT_WARNING, .resolves = true, .of_computer = true,
		.title = { "Communication problem", "通信の問題" },
		.text = { "There is a problem in communicating with {computer}: {detail}.",
			  "{computer} との通信に問題があります: {detail}。" } },
	[ALERT_CLOCK_CHANGE] = {
		"clock_change", ALERT_WARNING, .dismissible = true, .of_computer = true,
		.title = { "Computer Clock Change", "コンピュータの時計の変更" },
		.text = { "The clock of {computer} was changed: it is off by {detail} s.",
			  "{computer} の時計が変更されました: {detail} 秒ずれています。" } },
	[ALERT_DUPLICATE_IDENTITY] = {
		"duplicate_identity", ALERT_WARNING, .dismissible = true, .of_computer = true, .subject = "name",
		.title = { "Duplicate identity", "ID の重複" },
		.text = { "A second computer came with the identity or the name of {computer} ({detail}).",
			  "{computer} と同じ ID または名前の別のコンピュータが現れました ({detail})。" } },
	[ALERT_CONFIGURATION_FAILED] = {
		"configuration_failed", ALERT_WARNING, .resolves = true, .of_computer = true,
		.title = { "Configuration could not be applied", "設定を適用できません" },
		.text = { "{computer} could not apply its configuration: {detail}.",
			  "{computer} は設定を適用できませんでした: {detail}。" } },
	[ALERT_MALWARE_NOT_REMOVED] = {
		"malware_not_removed", ALERT_CRITICAL, .dismissible = true, .resolves = true, .of_computer = true,
		.subject = "file",
		.title = { "Malware detected and not removed", "検出されたマルウェアが除去されていません" },
		.text = { "{subject} on {computer} holds malware and was not removed: {detail}.",
			  "{computer} の {subject} にマルウェアがあり、除去されていません: {detail}。" } },
	[ALERT_COMPONENT_FAILED] = {
		"component_failed", ALERT_CRITICAL, .resolves = true, .of_computer = true, .subject = "component",
		.title = { "Protection component not working", "保護コンポーネントが動作していません" },
		.text = { "The component {subject} of {computer} does not work: {detail}.",
			  "{computer} のコンポーネント {subject} が動作していません: {detail}。" } },
	[ALERT_QUARANTINE_FULL] = {
		"quarantine_store_full", ALERT_WARNING, .resolves = true,
		.title = { "Quarantine store full", "隔離ストアが満杯" },
		.text = { "The manager's quarantine store is full: {detail}.",
			  "マネージャの隔離ストアが満杯です: {detail}。" } },
	[ALERT_LOW_DISK] = {
		"low_disk", ALERT_WARNING, .dismissible = true, .resolves = true, .subject = "path",
		.title = { "Low disk space", "ディスク容量の不足" },
		.text = { "Disk space is low at {subject} on {computer}: {detail} bytes are free.",
			  "{computer} の {subject} でディスク容量が不足しています: 空き {detail} バイト。" } },
	[ALERT_DATABASE_SIZE] = {
		"database_size", ALERT_WARNING, .resolves = true,
		.title = { "Database large", "データベースの肥大" },
		.text = { "The manager's database has grown to {detail} bytes.",
			  "マネージャのデータベースが {detail} バイトになりました。" } },
	[ALERT_USER_LOCKED_OUT] = {
		"user_locked_out", ALERT_WARNING, .dismissible = true, .subject = "user",
		.title = { "User locked out", "ユーザのロックアウト" },
		.text = { "User {subject} was locked out after refused sign-ins from {detail}.",
			  "ユーザ {subject} は {detail} からのサインイン失敗によりロックアウトされました。" } },
	[ALERT_LEGACY_TLS] = {
		"legacy_tls", ALERT_WARNING, .resolves = true,
		.title = { "Legacy TLS profile is on", "レガシー TLS プロファイルが有効" },
		.text = { "The manager accepts connections that others on the network can read or alter: TLS profile {detail}.",
			  "マネージャは、ネットワーク上の第三者に読み取られ改ざんされうる接続を受け付けています: TLS プロファイル {detail}。" } },
	[ALERT_INVALID_SERVER_CERTIFICATE] = {
		"invalid_server_certificate", ALERT_CRITICAL, .resolves = true,
		.title = { "Agents without a valid server certificate", "有効なサーバ証明書がないエージェント" },
		.text = { "One or more agents do not have a valid server certificate and take no orders: {detail}.",
			  "サーバの有効な証明書がないエージェントが 1 つ以上あり、命令を受け付けません: {detail}。" } },
	[ALERT_CERTIFICATE_EXPIRES] = {
		"certificate_expires", ALERT_WARNING, .resolves = true, .subject = "certificate",
		.title = { "Certificate or key expires soon", "証明書または鍵の期限切れが近い" },
		.text = { "The manager's certificate {subject} was not renewed; it is good until {detail}.",
			  "マネージャの証明書 {subject} が更新されていません。有効期限は {detail} です。" } },
	[ALERT_AUTHORITY_MISSING] = {
		"authority_missing", ALERT_CRITICAL, .resolves = true,
		.title = { "No certificates can be issued", "証明書を発行できません" },
		.text = { "The key of the certificate authority cannot be used, so that no computer can be activated and no certificate renewed ({detail}). Put keys/ca.key back into the manager's data directory, or restore it from a backup: muster cert restore FILE.",
			  "認証局の鍵が使えないため、コンピュータを登録できず、証明書も更新できません ({detail})。マネージャのデータディレクトリに keys/ca.key を戻すか、バックアップから復元してください: muster cert restore FILE。" } },
	[ALERT_KEY_FILE_LOST] = {
		"key_file_lost", ALERT_CRITICAL, .resolves = true, .subject = "file",
		.title = { "The file of a key is lost", "鍵のファイルが失われました" },
		.text = { "The file of a key of the manager, {subject}, is not as it was left ({detail}). The manager works with the key in its memory and loses it with its next start. Back it up now: muster cert backup FILE. Then put the file back, or have it written anew: muster cert rewrite.",
			  "マネージャの鍵のファイル {subject} が書き込んだ状態と異なります ({detail})。マネージャはメモリにある鍵で動作しており、次の起動で失われます。今すぐバックアップを取ってください: muster cert backup FILE。その後、ファイルを戻すか、書き直してください: muster cert rewrite。" } },
};
/* clang-format on */

static const char *const severity_names[ALERT_SEVERITIES] = { "warning", "critical" };
static const char *const state_names[ALERT_STATES] = { "open", "resolved", "dismissed" };

static size_t find(const char *const *names, size_t count, const char *name)
{
	size_t at = 0;

	while (at < count && strcmp(names[at], name) != 0)
		at++;
	return at;
}

enum alert_kind alert_kind_parse(const char *name)
{
	size_t kind = 0;

	while (kind < ALERT_KINDS && strcmp(alert_definitions[kind].name, name) != 0)
		kind++;
	return (enum alert_kind)kind;
}

const char *alert_severity_name(enum alert_severity severity)
{
	return severity_names[severity];
}

enum alert_severity alert_severity_parse(const char *name)
{
	return (enum alert_severity)find(severity_names, ALERT_SEVERITIES, name);
}

const char *alert_state_name(enum alert_state state)
{
	return state_names[state];
}
