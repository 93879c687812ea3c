/* muster-agent trust: another server authentication key of the manager, by hand, without any network.
 * Input: a file that an administrator brought (muster cert export). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/identity_files.h"
#include "agent/local/control_ask.h"
#include "agent/local/key_read.h"
#include "agent/local/local.h"
#include "agent/local/local_password.h"
#include "agent/local_action.h"
#include "trust/signing_key.h"

/* What the link role finds at its next start. Whoever owns the directory goes on owning what is in it. */
static int write_key(const char *data, const uint8_t key[ENVELOPE_KEY_BYTES], struct err *err)
{
	struct agent_identity who;
	char path[4200];
	struct stat st;
	int directory, rc;

	snprintf(path, sizeof(path), "%s/identity", data);
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (directory < 0 && errno != EACCES)
		return err_set(err, ERR_NOT_FOUND, "%.200s is not activated (muster-agent activate --help)", data);
	if (directory < 0 || fstat(directory, &st) != 0)
		rc = err_errno(err, errno, "%s", path);
	else
		rc = identity_files_who(directory, &who, err);
	if (rc == 0)
		rc = identity_files_trust(directory, key, st.st_uid, st.st_gid, err);
	if (directory >= 0)
		close(directory);
	return rc;
}

/* An agent that runs does it itself, and tells the manager at once. */
static int trust(const char *data, struct control_request *request, struct err *err)
{
	int rc = control_ask(data, request, NULL, NULL, NULL, err), directory;

	if (rc != ERR_NOT_FOUND)
		return rc;
	*err = (struct err){ 0 };
	directory = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return err_errno(err, errno, "%s", data);
	rc = local_action_offline(directory, LOCAL_ACTION_TRUST, request->password, err);
	close(directory);
	return rc == 0 ? write_key(data, request->key, err) : rc;
}

int local_trust(const struct arguments *arguments)
{
	struct control_request request = { .kind = CONTROL_TRUST };
	uint8_t fingerprint[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];
	struct err err = { 0 };
	bool json = false;
	char *data = NULL;
	int rc = local_output(arguments, &json, &err);

	if (rc == 0)
		rc = key_read(arguments->operands[0], request.key, &err);
	if (rc == 0 && (data = local_data(arguments, &err)) == NULL)
		rc = err.code;
	if (rc == 0)
		rc = local_password(arguments, data, &request.password, &err);
	if (rc == 0 && data != NULL)
		rc = trust(data, &request, &err);
	signing_key_fingerprint(request.key, fingerprint);
	hex_format(fingerprint, sizeof(fingerprint), text);
	control_request_done(&request);
	free(data);
	if (rc != 0)
		return local_failed(&err);
	if (json)
		local_print(json_pack("{s:b,s:s}", "ok", 1, "fingerprint", text));
	else
		printf("Orders signed with the key %s are taken from now on, and no others.\n", text);
	return 0;
}
