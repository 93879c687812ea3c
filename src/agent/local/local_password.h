/* The unload password as local commands get it from people. Blocks. */
#ifndef MUSTER_AGENT_LOCAL_LOCAL_PASSWORD_H
#define MUSTER_AGENT_LOCAL_LOCAL_PASSWORD_H

#include "agent/local/arguments.h"

/* The rows of a command's options. */
#define LOCAL_PASSWORD_OPTIONS                                                                                         \
	{ "--password", "PW",                                                                                          \
	  "the unload password, where the policy sets one; others can see it in the list of processes", false },       \
	{                                                                                                              \
		"--password-file", "FILE", "the same from a file's first line, - for standard input", false            \
	}

/* Of the two options; without them, where this agent asks for one and there is a terminal, asked for on it.
 * *ret_password NULL: none was given; else local_password_free() it. data: the data directory. ERR_USAGE when both are
 * given. */
int local_password(const struct arguments *arguments, const char *data, char **ret_password, struct err *err);
/* Wipes it. Accepts NULL. */
void local_password_free(char *password);

#endif
