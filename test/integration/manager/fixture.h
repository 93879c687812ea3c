/* A real manager in a temporary directory, and real requests to it.
 *
 * The programs are found in the directory that MUSTER_BIN names. The manager's
 * log is read all the time; tests wait for lines in it, never for a time. What
 * goes wrong in the fixture itself ends the test with the log printed.
 */
#ifndef MUSTER_TEST_MANAGER_FIXTURE_H
#define MUSTER_TEST_MANAGER_FIXTURE_H

#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/hex.h"

struct fixture {
	char directory[64]; /* temporary; the data directory is below */
	char data[80];
	char settings[100]; /* manager.ini */
	uint16_t port;
	json_t *made; /* what init printed */
	char *ca_pem;
	char token[64]; /* of an administrator */
	pid_t pid;      /* of the supervisor, 0: not running */
	pthread_t reader;
	int log_fd;
	pthread_mutex_t lock;
	pthread_cond_t grown;
	struct buf log;
	bool ended; /* of the log */
};

/* init, run, and an administrator's token; broken pipes are errors from then on. lines: added to manager.ini, or NULL.
 */
void fixture_start(struct fixture *fixture, const char *lines);
/* init alone. */
void fixture_init(struct fixture *fixture);
/* Adds lines to manager.ini. */
void fixture_set(struct fixture *fixture, const char *lines);
void fixture_run(struct fixture *fixture);
/* SIGTERM, and the exit code (-1: killed by a signal). */
int fixture_stop(struct fixture *fixture);
/* Waits for the manager to end by itself. */
int fixture_wait(struct fixture *fixture);
/* Stops it in good order, and ends. */
void fixture_finish(struct fixture *fixture);
void fixture_end(struct fixture *fixture); /* stops what runs and removes everything */

/* Waits until the log holds `text` `count` times; fails the test after a minute. */
void fixture_log_wait(struct fixture *fixture, const char *text, unsigned count);
unsigned fixture_log_count(struct fixture *fixture, const char *text);
/* The process of a role, as last started. */
pid_t fixture_role(struct fixture *fixture, const char *role);

/* A program of MUSTER_BIN, run to its end: exit code; its two outputs together in out (an initialised buf), or NULL. */
int fixture_program(struct buf *out, const char *program, ...) __attribute__((sentinel));

/* --- HTTP --- */
struct call {
	const char *method, *path;
	const char *content_type; /* NULL: none */
	const char *header;       /* one more, NULL: none */
	const void *body;
	size_t size;
	const char *certificate, *key; /* PEM, NULL: none */
	const char *token;             /* bearer, NULL: none */
};
struct answer {
	long status; /* 0: no answer at all */
	struct buf body;
	long retry_after;
};
/* answer's body must be freed with answer_done(). */
void fixture_call(struct fixture *fixture, const struct call *call, struct answer *answer);
void answer_done(struct answer *answer);
/* The API as the administrator: the answer's JSON (json_decref), NULL for no body. Fails the test when the status is
 * not `status`. body: JSON text or NULL. */
json_t *fixture_api(struct fixture *fixture, const char *method, const char *path, const char *body, long status);
/* A number from a list's length or a member, by path "/api/v1/…". */
size_t fixture_count(struct fixture *fixture, const char *path);

#endif
