/* Runs a real guard on a temporary directory, with the test as its link.
 *
 * Guard starts link as it always does; here link is this test program again,
 * in a mode that hands its channel to the test over a socket. So the test
 * speaks the real protocol, and guard, starter, scan program and workers are
 * the real ones. Waiting is always for a message, never for time to pass.
 */
#ifndef MUSTER_TEST_SCAN_HARNESS_H
#define MUSTER_TEST_SCAN_HARNESS_H

#include <sys/types.h>

#include "agent/messages.h"

#define HARNESS_WAIT_MS     30000
#define HARNESS_NOTICES_MAX 4096

struct harness_notice {
	struct buf bytes; /* what notice points into */
	struct message_notice notice;
};

struct harness {
	char directory[256]; /* everything of this test */
	char data[300];      /* the agent's data directory */
	char files[300];     /* files to scan */
	char signatures[4096];
	int listener;
	pid_t guard;
	struct channel link;
	int relay; /* the relay's end: closing it ends link */
	uint32_t request;
	struct harness_notice *notices;
	size_t notice_count;
	uint64_t stored;                  /* number up to which NOTICE_STORED was said */
	bool withhold;                    /* do not say NOTICE_STORED */
	struct message_progress progress; /* the newest; path is not kept */
	size_t progress_count;
	char scan_engine[64];
	enum message_component_state scan_state;
	struct message_settings settings;
};

/* main() of each test calls this first: in link's mode it does not return. */
void harness_relay(int argc, char **argv);

void harness_new(struct harness *harness);
void harness_start(struct harness *harness);  /* guard, and link's channel */
void harness_accept(struct harness *harness); /* link's channel again, after guard started it anew */
void harness_kill(struct harness *harness);   /* SIGKILL to guard; waits until all its processes are gone */
void harness_stop(struct harness *harness);   /* SIGTERM; asserts exit status 0 */
void harness_free(struct harness *harness);
/* A test with a harness of its own, in *state. */
int harness_set_up(void **state);
int harness_tear_down(void **state);
#define HARNESS_TEST(name) cmocka_unit_test_setup_teardown(name, harness_set_up, harness_tear_down)

/* Sends and waits for the answer; its code. text may be NULL (ERR_TEXT_BYTES). */
int harness_ask(struct harness *harness, enum message_type type, const struct buf *payload, int fd, char *text);
struct uuid harness_scan(struct harness *harness, const char *path);
struct uuid harness_scan_with(struct harness *harness, const char *path, const struct message_limits *limits,
			      const char *exclude);
int harness_target(struct harness *harness, enum message_type type, const struct uuid *id, bool overwrite, char *text);
/* Takes one message in; fails the test after HARNESS_WAIT_MS. */
void harness_receive(struct harness *harness);
/* Waits for the end of the job. */
struct message_job_ended harness_wait_end(struct harness *harness, const struct uuid *job);
/* Waits for an event of this type of which the field has this value; NULL: any. */
const struct message_event *harness_wait_event(struct harness *harness, uint32_t type, const char *field,
					       const char *value);
/* Events of this type so far. */
size_t harness_count(const struct harness *harness, uint32_t type);
/* The field's text, or "". */
const char *harness_field(const struct message_event *event, const char *name);
/* Items told so far, of a state; the last one through ret_item (may be NULL). */
size_t harness_items(const struct harness *harness, enum message_item_state state, struct message_item *ret_item);

/* A process named `name` below guard, `depth` generations down (scan program: 2, worker: 3); waits until there is
 * one. */
pid_t harness_process(struct harness *harness, const char *name, int depth);

/* The worker that has this file open; waits until there is one. Only root may look. */
pid_t harness_worker_at(struct harness *harness, const char *path);

/* ---- files ---- */
/* Below harness->files; directories must exist. */
void harness_write(const struct harness *harness, const char *name, const void *data, size_t size);
/* The path of a name below harness->files; one of a few static buffers. */
const char *harness_path(const struct harness *harness, const char *name);
bool harness_exists(const struct harness *harness, const char *name);
/* EICAR, put together here so that no file of the project holds it. */
const char *harness_eicar(void);
/* One member in an archive; the name's ending says which kind: .zip, .7z, .tar.gz. */
void harness_archive(const struct harness *harness, const char *name, const char *member, const char *content);
/* Runs a shell command in harness->files; fails the test unless it exits 0. */
void harness_shell(const struct harness *harness, const char *command);

#endif
