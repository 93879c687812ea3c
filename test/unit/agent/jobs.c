/* What guard takes up of jobs that an earlier guard left (agent/guard/jobs.h). */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/guard/job_file.h"
#include "agent/guard/jobs.h"
#include "os/env.h"
#include "os/files.h"

struct place {
	char path[64];
	int fd;
	struct outbox *outbox;
};

static const struct uuid id = { { 7 } };

static int set_up(void **state)
{
	static struct place place;
	struct outbox_damage damage;

	snprintf(place.path, sizeof(place.path), "/tmp/muster-jobs-XXXXXX");
	assert_non_null(mkdtemp(place.path));
	place.fd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &place;
	return outbox_open(place.fd, "outbox.log", 1, &place.outbox, &damage, NULL);
}

static int tear_down(void **state)
{
	struct place *place = *state;

	outbox_close(place->outbox);
	files_empty_directory(place->fd);
	close(place->fd);
	return rmdir(place->path);
}

static bool is_there(const struct place *place, const char *ending)
{
	char name[64];

	job_file_name(&id, ending, name);
	return faccessat(place->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* As guard leaves one: its file, and its plan. */
static void leave(const struct place *place, enum job_phase phase)
{
	struct message_job_start *start = calloc(1, sizeof(*start));
	struct job_saved saved;
	char name[64];

	assert_non_null(start);
	start->job = id;
	start->paths.paths[start->paths.count++] = (struct bytes){ (const uint8_t *)"/nowhere", 8 };
	job_saved_init(&saved);
	saved.phase = phase;
	saved.counts.job = id;
	message_pack_job_start(&saved.start, start);
	assert_int_equal(job_file_save(place->fd, &saved, NULL), 0);
	job_file_name(&id, ".plan", name);
	assert_int_equal(files_write(place->fd, name, "", 0, 0600, NULL), 0);
	job_saved_done(&saved);
	free(start);
}

static void no_progress(void *context, const struct message_progress *progress)
{
	(void)context;
	(void)progress;
}

/* Whether there is a job of that id after a start. */
static bool taken_up(const struct place *place)
{
	const struct jobs_world world = { .env = env_system(),
					  .directory = place->fd,
					  .cache_directory = place->fd,
					  .outbox = place->outbox,
					  .progress = no_progress };
	struct jobs *jobs;
	int rc;

	assert_int_equal(jobs_new(&world, &jobs, NULL), 0);
	rc = jobs_pause(jobs, &id, true, NULL);
	assert_true(rc == 0 || rc == ERR_NOT_FOUND);
	jobs_free(jobs);
	return rc == 0;
}

static void one_that_had_not_ended_goes_on(void **state)
{
	const struct place *place = *state;

	leave(place, JOB_SCANNING);
	assert_true(taken_up(place));
	assert_true(is_there(place, ".job") && is_there(place, ".plan"));
}

/* Its files would not go when its end had been told: it is not done and told once more. */
static void one_whose_end_was_told_does_not(void **state)
{
	const struct place *place = *state;

	leave(place, JOB_ENDED);
	assert_false(taken_up(place));
	assert_false(is_there(place, ".job") || is_there(place, ".plan"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_that_had_not_ended_goes_on),
		TEST(one_whose_end_was_told_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
