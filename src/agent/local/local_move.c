/* muster-agent move: to another manager, known by its authority, by its key, or by both. Input: the command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/local/key_read.h"
#include "agent/local/local.h"
#include "agent/manager_url.h"
#include "trust/fingerprint.h"
#include "trust/token.h"

static int read_known_by(const struct arguments *arguments, struct control_request *request, struct err *err)
{
	const char *fingerprint = arguments_value(arguments, "--ca-fingerprint");
	const char *key = arguments_value(arguments, "--trust");
	int rc = 0;

	request->has_authority = fingerprint != NULL;
	request->has_key = key != NULL;
	if (fingerprint == NULL && key == NULL)
		return err_set(err, ERR_USAGE,
			       "--ca-fingerprint or --trust says which manager is meant; give one of them at least");
	if (fingerprint != NULL)
		rc = fingerprint_parse(fingerprint, request->authority, err);
	if (rc != 0) {
		err->code = ERR_USAGE;
		return err_add(err, ERR_USAGE, "--ca-fingerprint");
	}
	return key != NULL ? key_read(key, request->key, err) : 0;
}

static int read_arguments(const struct arguments *arguments, struct control_request *request, struct err *err)
{
	const char *port = arguments_value(arguments, "--listen-port");
	struct manager_url url;
	uint64_t number = 0;

	if (port != NULL && number_parse(port, 1, UINT16_MAX, &number, NULL) != 0)
		return err_set(err, ERR_USAGE, "--listen-port is a number between 1 and 65535");
	request->listen_port = (uint16_t)number;
	if (manager_url_parse(request->manager, &url, err) != 0 ||
	    (request->token != NULL && token_check(request->token, TOKEN_ENROLMENT, err) != 0)) {
		err->code = ERR_USAGE;
		return ERR_USAGE;
	}
	return read_known_by(arguments, request, err);
}

int local_move(const struct arguments *arguments)
{
	const char *given = arguments_value(arguments, "--manager");
	struct control_request request = { .kind = CONTROL_MOVE,
					   .token = (char *)(uintptr_t)arguments_value(arguments, "--token") };
	struct err err = { 0 };
	int rc;

	if (asprintf(&request.manager, "%s%s", strncmp(given, "https://", 8) == 0 ? "" : "https://", given) < 0) {
		err_set(&err, ERR_MEMORY, "out of memory");
		return local_failed(&err);
	}
	if (read_arguments(arguments, &request, &err) != 0)
		rc = local_failed(&err);
	else
		rc = local_guarded(
		    arguments, &request,
		    "The other manager has taken this computer. What this one has not got yet is sent, then the "
		    "agent goes on there.");
	free(request.manager);
	return rc;
}
