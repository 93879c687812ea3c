/* `muster-manager init` (manager/init_command.h). The files that it is given are the administrator's; a backup is
 * checked like outside input. */
#include "manager/init_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "manager/layout.h"
#include "os/files.h"

static void print_json(const struct init_result *result, const char *fingerprint)
{
	printf("{\"name\":\"%s\",\"url\":\"%s\",\"ca_fingerprint\":\"%s\",\"user\":\"%s\",\"password\":\"%s\","
	       "\"agent_port\":%u}\n",
	       result->name, result->url, fingerprint, result->user, result->password, (unsigned)result->agent_port);
}

static void print_made(const char *data, const struct init_result *result, const char *fingerprint)
{
	printf("A manager is set up in %s\n\n"
	       "  name                 %s\n"
	       "  address              %s\n"
	       "  CA fingerprint       %s\n"
	       "  agents listen on     port %u\n"
	       "  first administrator  %s\n"
	       "  password             %s   (shown once; it is not stored)\n\n"
	       "Next:\n",
	       data, result->name, result->url, fingerprint, (unsigned)result->agent_port, result->user,
	       result->password);
}

static void print_next_new(const char *data, const struct init_result *result, const char *fingerprint)
{
	printf("  1. muster-manager run --data %s\n"
	       "  2. muster --server %s --ca %s/%s login\n"
	       "  3. muster token create --enrolment\n"
	       "  4. on each computer:\n"
	       "     muster-agent activate %s --token TOKEN --ca-fingerprint %s --data /var/lib/muster-agent\n\n"
	       "Back the keys up when it runs: muster cert backup FILE. If they are lost without a backup, no agent "
	       "takes\n"
	       "orders any more until each is repaired on its machine, or installed anew.\n",
	       data, result->url, data, LAYOUT_CA, result->url, fingerprint);
}

/* The backup has the keys alone; what becomes of the fleet depends on the database. */
static void print_next_restored(const char *data, const struct init_result *result)
{
	printf(
	    "  1. a copy of the manager's database, where there is one, in the place of %s/%s:\n"
	    "     computers, policies and users are then those of the copy, and so are the passwords\n"
	    "  2. muster-manager run --data %s\n"
	    "Its agents look for it at the address that they know, and come back by themselves. Without a copy of\n"
	    "the database none of them is on record, and they wait until they are let in:\n"
	    "  3. muster --server %s --ca %s/%s login\n"
	    "  4. muster settings set enrolment.reactivate_unknown=yes   (each is here within 10 minutes of it, with\n"
	    "     its own name and without its former policy and group; take it back when they are: it lets in\n"
	    "     whoever has a certificate of this manager, also of computers that had been revoked)\n",
	    data, LAYOUT_DATABASE, data, result->url, data, LAYOUT_CA);
}

static void print_text(const char *data, const struct init_wish *wish, const struct init_result *result,
		       const char *fingerprint)
{
	print_made(data, result, fingerprint);
	if (wish->restore != NULL)
		print_next_restored(data, result);
	else
		print_next_new(data, result, fingerprint);
}

/* The first line of a file, or of standard input. */
static int read_password(const char *path, char password[BACKUP_PASSWORD_MAX + 1], struct err *err)
{
	FILE *file;
	bool read;

	if (path == NULL)
		return err_set(err, ERR_USAGE, "--restore needs --password-file FILE (- is standard input)");
	file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (file == NULL)
		return err_errno(err, errno, "%s", path);
	setvbuf(file, NULL, _IONBF, 0); /* no copy of it stays behind */
	read = fgets(password, BACKUP_PASSWORD_MAX + 1, file) != NULL;
	if (file != stdin)
		fclose(file);
	if (!read)
		return err_set(err, ERR_FORMAT, "%s: the first line is empty", path);
	password[strcspn(password, "\r\n")] = '\0';
	return 0;
}

static int open_backup(const struct init_wish *wish, struct backup *ret_backup, struct err *err)
{
	char password[BACKUP_PASSWORD_MAX + 1];
	struct buf file;
	int rc = read_password(wish->password_file, password, err);

	buf_init(&file, BACKUP_MAX_BYTES);
	if (rc == 0)
		rc = files_read(AT_FDCWD, wish->restore, BACKUP_MAX_BYTES, &file, err);
	if (rc == ERR_LIMIT)
		rc = err_set(err, ERR_FORMAT, "this is not a backup of a manager's keys");
	if (rc == 0)
		rc = backup_open(file.data, file.size, password, ret_backup, err);
	explicit_bzero(password, sizeof(password));
	buf_done(&file);
	return rc == 0 || rc == ERR_USAGE ? rc : err_add(err, rc, "%s", wish->restore);
}

int init_command(const struct init_options *given, const struct init_wish *wish, struct err *err)
{
	struct init_options options = *given;
	struct init_result result;
	char fingerprint[SHA256_TEXT_BYTES];
	struct backup backup = { 0 };
	int rc = 0;

	if (wish->restore != NULL)
		rc = open_backup(wish, &backup, err);
	if (rc != 0)
		return rc;
	options.restore = wish->restore != NULL ? &backup : NULL;
	rc = init_make(&options, &result, err);
	if (wish->restore != NULL)
		backup_done(&backup);
	if (rc != 0)
		return rc;
	hex_format(result.ca_fingerprint, SHA256_BYTES, fingerprint);
	if (wish->json)
		print_json(&result, fingerprint);
	else
		print_text(options.data_directory, wish, &result, fingerprint);
	explicit_bzero(&result, sizeof(result));
	return 0;
}
