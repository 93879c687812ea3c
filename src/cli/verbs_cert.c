/* muster cert: the key by which agents know this manager's orders. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "cli/cli.h"
#include "cli/kept_file.h"
#include "cli/verbs.h"
#include "os/files.h"
#include "trust/backup.h"
#include "trust/signing_key.h"

#define FILE_BYTES_MAX ((size_t)64 * 1024 * 1024)

static const char warning_backup[] =
    "Back it up now (muster cert backup FILE): if it is lost, no agent takes orders any more\n"
    "until each is repaired on its machine or installed anew.\n";

/* Never over a file that is there, unless forced. */
static int write_file(const char *path, const void *bytes, size_t size, mode_t mode, bool force, struct err *err)
{
	if (strcmp(path, "-") == 0)
		return cli_print(bytes, size, err);
	return kept_file_make(path, bytes, size, mode, KEPT_FOLLOW | (force ? KEPT_REPLACE : 0), err);
}

/* --- create, show, export --- */

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

static long long number_of(const json_t *json, const char *name)
{
	return (long long)json_integer_value(json_object_get(json, name));
}

int verb_cert_create(struct cli *cli, struct err *err)
{
	bool roll_over = !cli_flag(cli, "no-roll-over"), force = cli_flag(cli, "force");
	json_t *body, *answer = NULL;
	int rc;

	if (!roll_over) {
		fputs("Without a roll-over no agent trusts the new key: each one takes no orders until it is repaired\n"
		      "on its machine (muster-agent trust FILE), or installed anew.\n",
		      stderr);
		if (!force)
			return err_set(err, ERR_REFUSED, "nothing was done; say --force if that is meant");
	}
	body = json_pack("{sb, sb}", "roll_over", roll_over, "force", force);
	rc = cli_request(cli, "POST", "/server-key", body, &answer, err);
	json_decref(body);
	if (rc != 0)
		return rc;
	fputs(warning_backup, stderr);
	rc = cli_say(cli, json_incref(answer), err,
		     roll_over ? "The server authentication key is now %s; agents follow as they report (%lld of %lld "
				 "have)."
			       : "The server authentication key is now %s; %lld of %lld agents trust it.",
		     text_of(answer, "fingerprint"), number_of(answer, "agents"),
		     number_of(answer, "agents") + number_of(answer, "following") + number_of(answer, "mismatched"));
	json_decref(answer);
	return rc;
}

static int show_keys(struct cli *cli, const json_t *answer, struct err *err)
{
	static const struct column columns[] = {
		{ "KEY", "fingerprint", COLUMN_ID }, { "IS", "standing", COLUMN_TEXT },
		{ "ORIGIN", "origin", COLUMN_TEXT }, { "SINCE", "since", COLUMN_TIME },
		{ "UNTIL", "until", COLUMN_TIME },   { "BACKED UP", "backed_up", COLUMN_TIME },
		{ "BY", "made_by", COLUMN_TEXT },    { "AGENTS", "agents", COLUMN_NUMBER },
	};

	return list_show(cli, json_pack("{sO}", "items", json_object_get(answer, "keys")), columns, COUNT_OF(columns),
			 "No keys.", err);
}

int verb_cert_show(struct cli *cli, struct err *err)
{
	json_t *answer = NULL;
	const json_t *latest;
	int rc = cli_request(cli, "GET", "/server-key", NULL, &answer, err);

	if (rc != 0)
		return rc;
	if (cli->output == OUTPUT_JSON)
		return cli_show(cli, answer, err);
	rc = show_keys(cli, answer, err);
	latest = json_array_get(json_object_get(answer, "keys"), 0);
	if (!json_is_true(json_object_get(answer, "present")))
		fputs("THE KEY IS MISSING: no order can be signed. Restore it: muster cert restore FILE\n", stderr);
	else if (json_is_null(json_object_get(latest, "backed_up")))
		fputs("There is no backup of the present key yet: muster cert backup FILE\n", stderr);
	if (number_of(answer, "mismatched") > 0)
		fprintf(stderr, "Agents without a valid server certificate: %lld (muster cert list-mismatched)\n",
			number_of(answer, "mismatched"));
	json_decref(answer);
	key_files_warn(cli);
	return rc;
}

int verb_cert_export(struct cli *cli, struct err *err)
{
	const char *path = cli->arguments.words[0];
	json_t *answer = NULL;
	const char *pem;
	int rc = cli_request(cli, "GET", "/server-key", NULL, &answer, err);

	if (rc != 0)
		return rc;
	pem = text_of(answer, "public_key");
	if (!json_is_true(json_object_get(answer, "present")))
		rc = err_set(err, ERR_WRONG_STATE, "the key is missing; restore it first: muster cert restore FILE");
	if (rc == 0)
		rc = write_file(path, pem, strlen(pem), 0644, cli_flag(cli, "force"), err);
	json_decref(answer);
	if (rc == 0 && strcmp(path, "-") != 0)
		rc = cli_say(cli, json_pack("{ss}", "file", path), err,
			     "%s: on an agent's machine, muster-agent trust %s", path, path);
	return rc;
}

/* --- backup, restore, import --- */

static int read_whole(const char *path, size_t most, struct buf *out, struct err *err)
{
	buf_init(out, most);
	return files_read(AT_FDCWD, path, most, out, err);
}

static int to_base64(const struct buf *file, struct buf *text, struct err *err)
{
	buf_init(text, 2 * file->size + 16);
	if (buf_room(text, file->size * 4 / 3 + 8) == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	buf_grow(text, (size_t)EVP_EncodeBlock(text->data, file->data, (int)file->size));
	return 0;
}

static int from_base64(const char *text, struct buf *file, struct err *err)
{
	size_t length = strlen(text), padding = 0;
	int size = -1;

	buf_init(file, length + 4);
	if (length > 0 && buf_room(file, length + 4) != NULL)
		size = EVP_DecodeBlock(file->data, (const uint8_t *)text, (int)length);
	while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
		padding++;
	if (size < 0 || (size_t)size < padding)
		return err_set(err, ERR_FORMAT, "the manager's answer holds no file");
	buf_grow(file, (size_t)size - padding);
	return 0;
}

/* Before a password is asked for: nothing is worse than a backup that could not be written after all. */
static int check_free(const char *path, bool force, struct err *err)
{
	if (strcmp(path, "-") == 0 || force || access(path, F_OK) != 0)
		return 0;
	return err_set(err, ERR_EXISTS, "%s is there already; give another name, or --force", path);
}

static int fetch_backup(struct cli *cli, const char *password, struct buf *file, struct err *err)
{
	json_t *body = json_pack("{ss}", "password", password), *answer = NULL;
	int rc = body != NULL ? cli_request(cli, "POST", "/server-key/backup", body, &answer, err)
			      : err_set(err, ERR_USAGE, "the password must be UTF-8");

	json_decref(body);
	if (rc == 0)
		rc = from_base64(text_of(answer, "file"), file, err);
	json_decref(answer);
	return rc;
}

int verb_cert_backup(struct cli *cli, struct err *err)
{
	const char *path = cli->arguments.words[0];
	bool force = cli_flag(cli, "force");
	struct buf password = { 0 }, file = { 0 };
	size_t size;
	int rc = check_free(path, force, err);

	if (rc == 0)
		rc = secret_ask_new(cli_option(cli, "password-file"), &password, err);
	if (rc == 0)
		rc = fetch_backup(cli, buf_text(&password), &file, err);
	if (rc == 0)
		rc = write_file(path, file.data, file.size, 0600, force, err);
	size = file.size;
	buf_wipe(&password);
	buf_done(&file);
	if (rc == 0 && strcmp(path, "-") != 0)
		rc = cli_say(cli, json_pack("{ss, sI}", "file", path, "bytes", (json_int_t)size), err,
			     "%s: keep it and its password in safe places, apart from each other. Whoever has both "
			     "commands the fleet; without them a lost key orphans every agent.",
			     path);
	return rc;
}

static int send_restore(struct cli *cli, const struct buf *file, const char *password, json_t **ret_answer,
			struct err *err)
{
	struct buf text = { 0 };
	json_t *body = NULL;
	int rc = to_base64(file, &text, err);

	if (rc == 0 && (body = json_pack("{ss, ss, sb}", "file", buf_text(&text), "password", password, "force",
					 cli_flag(cli, "force"))) == NULL)
		rc = err_set(err, ERR_USAGE, "the password must be UTF-8");
	if (rc == 0)
		rc = cli_request(cli, "POST", "/server-key/restore", body, ret_answer, err);
	json_decref(body);
	buf_done(&text);
	return rc;
}

int verb_cert_restore(struct cli *cli, struct err *err)
{
	const char *path = cli->arguments.words[0];
	struct buf password = { 0 }, file = { 0 };
	json_t *answer = NULL;
	int rc = read_whole(path, BACKUP_MAX_BYTES, &file, err);

	if (rc == ERR_LIMIT)
		rc = err_set(err, ERR_FORMAT, "%s: this is not a backup of a manager's keys", path);
	if (rc == 0 && (rc = backup_look(file.data, file.size, err)) != 0)
		rc = err_add(err, rc, "%s", path);
	if (rc == 0)
		rc = secret_read(cli_option(cli, "password-file"), "password of the backup", &password, err);
	if (rc == 0)
		rc = send_restore(cli, &file, buf_text(&password), &answer, err);
	buf_wipe(&password);
	buf_done(&file);
	if (rc != 0)
		return rc;
	rc = cli_say(cli, json_incref(answer), err,
		     "The keys are restored. Server authentication key: %s; %lld agents trust it, %lld do not.",
		     text_of(answer, "fingerprint"), number_of(answer, "agents") + number_of(answer, "following"),
		     number_of(answer, "mismatched"));
	json_decref(answer);
	return rc;
}

/* Looked at before it leaves this machine: what people mistake for it stays here, and is called by its name. */
static int check_private_key(const char *path, const struct buf *pem, struct err *err)
{
	static const struct {
		const char *begins, *what;
	} others[] = {
		{ "-----BEGIN PUBLIC KEY", "a public key; the private key that belongs to it is taken" },
		{ "-----BEGIN ENCRYPTED", "a key under a password; without one it is taken: openssl pkey -in FILE "
					  "-out PLAIN-FILE" },
		{ "-----BEGIN CERTIFICATE", "a certificate; a private key (Ed25519) is taken" },
	};
	struct signing_key *key = NULL;
	int rc;

	for (size_t i = 0; i < COUNT_OF(others); i++) {
		if (strstr(buf_text(pem), others[i].begins) != NULL)
			return err_set(err, ERR_FORMAT, "%s is %s", path, others[i].what);
	}
	rc = signing_key_parse(pem->data, pem->size, &key, err);
	signing_key_free(key);
	if (rc == ERR_UNTRUSTED)
		return err_set(err, rc, "%s: not an Ed25519 key (openssl genpkey -algorithm ed25519 makes one)", path);
	return rc == 0 ? 0 : err_add(err, rc, "%s", path);
}

int verb_cert_import(struct cli *cli, struct err *err)
{
	struct buf pem = { 0 };
	json_t *body = NULL, *answer = NULL;
	int rc = read_whole(cli->arguments.words[0], 4096, &pem, err);

	if (rc == 0)
		rc = check_private_key(cli->arguments.words[0], &pem, err);
	if (rc == 0 && (body = json_pack("{ss, sb}", "key", buf_text(&pem), "force", cli_flag(cli, "force"))) == NULL)
		rc = err_set(err, ERR_FORMAT, "%s: not a private key in PEM form", cli->arguments.words[0]);
	if (rc == 0)
		rc = cli_request(cli, "POST", "/server-key/import", body, &answer, err);
	json_decref(body);
	buf_wipe(&pem);
	if (rc != 0)
		return rc;
	fputs(warning_backup, stderr);
	rc = cli_say(cli, json_incref(answer), err, "The server authentication key is now %s.",
		     text_of(answer, "fingerprint"));
	json_decref(answer);
	return rc;
}

/* --- who is mismatched --- */

struct listing {
	struct table table;
	struct buf out;
	uint64_t count;
};

static int add_page(void *context, json_t *items, struct err *err)
{
	struct listing *listing = context;

	table_csv(&listing->table, items, &listing->out);
	listing->count += json_array_size(items);
	return listing->out.status == 0 ? 0 : err_set(err, listing->out.status, "the list is too large");
}

int verb_cert_list_mismatched(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "COMPUTER", "computer", COLUMN_TEXT }, { "ADDRESS", "address", COLUMN_TEXT },
		{ "POLICY", "policy", COLUMN_TEXT },     { "TRUSTS", "trusted_key_fingerprint", COLUMN_ID },
		{ "SINCE", "since", COLUMN_TIME },       { "LAST CONTACT", "last_contact", COLUMN_TIME },
		{ NULL, "group", COLUMN_TEXT },          { NULL, "id", COLUMN_ID },
	};
	const struct list list = { .path = "/server-key/mismatched",
				   .columns = columns,
				   .column_count = COUNT_OF(columns),
				   .nothing = "All agents have a valid server certificate." };
	const char *path = cli_option(cli, "l");
	struct listing listing = { .count = 0 };
	int rc;

	if (path == NULL)
		return list_run(cli, &list, err);
	buf_init(&listing.out, FILE_BYTES_MAX);
	table_init(&listing.table, columns, COUNT_OF(columns), 0);
	rc = list_pages(cli, list.path, 0, add_page, &listing, err);
	if (rc == 0) /* people run it again into the same file */
		rc = write_file(path, buf_text(&listing.out), listing.out.size, 0644, true, err);
	buf_done(&listing.out);
	if (rc == 0 && strcmp(path, "-") != 0)
		fprintf(stderr, "Agents without a valid server certificate: %llu, listed in %s\n",
			(unsigned long long)listing.count, path);
	return rc;
}
