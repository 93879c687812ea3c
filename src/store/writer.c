/* Group commit: one transaction for many writes, one savepoint for each.
 *
 * A write that comes alone is committed at once. When others are waiting, or
 * the last group had company, the writer waits up to group_span for more: one
 * fsync then serves them all.
 *
 * What waits for rows of a computer is done in the order of the computers, all
 * that stands in the queue without anything else between: rows lie in about that
 * order on the disk, so that a group writes few pages often and not many once.
 * A storm that fills the queue costs a quarter of the pages.
 */
#include "store/writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct write {
	store_function function;
	void (*done)(void *argument, int rc, const struct err *err);
	void *argument;
	struct uuid of; /* zeroes: in its turn */
	struct err err; /* code 0: done well */
	struct after *after;
	struct write *next;
};

struct writer {
	struct store_session session;
	span_us group_span;
	size_t group_count, queue_count;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	int full_fd;       /* readable: a whole group is waiting, or the end has come */
	struct write *run; /* taken off the queue and ordered; the writer's thread alone */
	/* under mutex */
	struct write *first, **last;
	size_t queued; /* with those of the run */
	bool closing;
	struct store_counters counters;
};

int writer_queue(struct writer *writer, const struct uuid *of, store_function function,
		 void (*done)(void *argument, int rc, const struct err *err), void *argument)
{
	struct write *write = calloc(1, sizeof(*write));
	int rc = 0;

	if (write == NULL)
		return ERR_MEMORY;
	write->function = function;
	write->done = done;
	write->argument = argument;
	if (of != NULL)
		write->of = *of;
	pthread_mutex_lock(&writer->mutex);
	if (writer->closing) {
		rc = ERR_CLOSED;
	} else if (writer->queued >= writer->queue_count) {
		rc = ERR_BUSY;
	} else {
		*writer->last = write;
		writer->last = &write->next;
		writer->queued++;
		if (writer->queued == 1)
			pthread_cond_signal(&writer->wake);
		else if (writer->queued == writer->group_count)
			eventfd_write(writer->full_fd, 1);
	}
	pthread_mutex_unlock(&writer->mutex);
	if (rc != 0)
		free(write);
	return rc;
}

/* With the mutex held; gives it up meanwhile. */
static void wait_for_company(struct writer *writer)
{
	struct timespec span = { .tv_sec = (time_t)(writer->group_span / SECOND_US),
				 .tv_nsec = (long)(writer->group_span % SECOND_US) * 1000 };
	struct pollfd full = { .fd = writer->full_fd, .events = POLLIN };
	eventfd_t value;

	pthread_mutex_unlock(&writer->mutex);
	ppoll(&full, 1, &span, NULL);
	pthread_mutex_lock(&writer->mutex);
	eventfd_read(writer->full_fd, &value);
}

/* Those of the same stay as they came. */
static struct write *merge(struct write *first, struct write *second)
{
	struct write *list = NULL, **end = &list;

	while (first != NULL && second != NULL) {
		struct write **less = memcmp(&first->of, &second->of, sizeof(first->of)) <= 0 ? &first : &second;

		*end = *less;
		end = &(*less)->next;
		*less = *end;
	}
	*end = first != NULL ? first : second;
	return list;
}

static struct write *order(struct write *list, size_t count)
{
	struct write *middle = list, *rest;

	if (count < 2)
		return list;
	for (size_t i = 1; i < count / 2; i++)
		middle = middle->next;
	rest = middle->next;
	middle->next = NULL;
	return merge(order(list, count / 2), order(rest, count - count / 2));
}

/* The queue's first, and if it is of a computer all that follow it and are. */
static struct write *take_run(struct writer *writer)
{
	struct write *run, **end = &run;
	size_t count = 0;

	pthread_mutex_lock(&writer->mutex);
	run = writer->first;
	while (*end != NULL && (count == 0 || (!uuid_is_zero(&run->of) && !uuid_is_zero(&(*end)->of)))) {
		end = &(*end)->next;
		count++;
	}
	writer->first = *end;
	if (writer->first == NULL)
		writer->last = &writer->first;
	*end = NULL;
	pthread_mutex_unlock(&writer->mutex);
	return order(run, count);
}

static void wait_for_group(struct writer *writer, size_t last_group)
{
	pthread_mutex_lock(&writer->mutex);
	while (writer->queued == 0 && !writer->closing)
		pthread_cond_wait(&writer->wake, &writer->mutex);
	if (writer->queued < writer->group_count && !writer->closing && (writer->queued > 1 || last_group > 1))
		wait_for_company(writer);
	pthread_mutex_unlock(&writer->mutex);
}

/* The next group, taken off the queue; NULL at the end. */
static struct write *take_group(struct writer *writer, size_t last_group)
{
	struct write *group = NULL, **end = &group;
	size_t count;

	wait_for_group(writer, last_group);
	for (count = 0; count < writer->group_count; count++) {
		if (writer->run == NULL)
			writer->run = take_run(writer);
		if (writer->run == NULL)
			break;
		*end = writer->run;
		writer->run = writer->run->next;
		end = &(*end)->next;
		*end = NULL;
	}
	pthread_mutex_lock(&writer->mutex);
	writer->queued -= count;
	pthread_mutex_unlock(&writer->mutex);
	return group;
}

static void run_one(struct store_session *session, struct write *write)
{
	int rc = session_run(session, "SAVEPOINT one", &write->err);

	if (rc != 0)
		return;
	rc = write->function(session, write->argument, &write->err);
	session_reset(session);
	write->after = session->after;
	session->after = NULL;
	if (rc == 0) {
		write->err.code = 0;
		session_run(session, "RELEASE one", &write->err);
		return;
	}
	/* A function may fail without a sentence. */
	if (write->err.code == 0)
		err_set(&write->err, rc, "%s", err_name(rc));
	if (sqlite3_get_autocommit(session->database) == 0) {
		session_run(session, "ROLLBACK TO one", NULL);
		session_run(session, "RELEASE one", NULL);
	}
}

static void fail_all(struct write *group, const struct err *err)
{
	for (struct write *write = group; write != NULL; write = write->next) {
		if (write->err.code == 0)
			write->err = *err;
	}
}

static void run_group(struct store_session *session, struct write *group)
{
	struct err err = { 0 };

	if (session_run(session, "BEGIN IMMEDIATE", &err) != 0) {
		fail_all(group, &err);
		return;
	}
	for (struct write *write = group; write != NULL; write = write->next) {
		run_one(session, write);
		/* A full disk or the like makes SQLite undo the whole transaction. */
		if (sqlite3_get_autocommit(session->database) != 0) {
			err = write->err;
			if (err.code == 0)
				err_set(&err, ERR_INTERNAL, "the transaction ended inside a write");
			fail_all(group, &err);
			return;
		}
	}
	if (session_run(session, "COMMIT", &err) != 0) {
		fail_all(group, &err);
		if (sqlite3_get_autocommit(session->database) == 0)
			session_run(session, "ROLLBACK", NULL);
	}
}

/* Returns how many there were. */
static size_t finish_group(struct writer *writer, struct write *group)
{
	size_t count = 0, failed = 0;
	struct write *next;

	for (struct write *write = group; write != NULL; write = write->next) {
		count++;
		failed += write->err.code != 0;
	}
	pthread_mutex_lock(&writer->mutex);
	writer->counters.writes += count - failed;
	writer->counters.failures += failed;
	writer->counters.commits += count > failed;
	pthread_mutex_unlock(&writer->mutex);
	for (struct write *write = group; write != NULL; write = next) {
		next = write->next;
		session_after(write->after, write->err.code == 0);
		if (write->done != NULL)
			write->done(write->argument, write->err.code, &write->err);
		free(write);
	}
	return count;
}

static void *writer_main(void *argument)
{
	struct writer *writer = argument;
	size_t last_group = 0;
	struct write *group;

	while ((group = take_group(writer, last_group)) != NULL) {
		run_group(&writer->session, group);
		last_group = finish_group(writer, group);
	}
	return NULL;
}

static void writer_destroy(struct writer *writer)
{
	session_close(&writer->session);
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->mutex);
	if (writer->full_fd >= 0)
		close(writer->full_fd);
	free(writer);
}

int writer_new(struct store_session *session, const struct store_options *options, struct writer **ret_writer,
	       struct err *err)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	int rc;

	if (writer == NULL)
		return err_set(err, ERR_MEMORY, "out of memory for the writer");
	writer->group_span = options->group_span;
	writer->group_count = options->group_count > 0 ? options->group_count : 1;
	writer->queue_count = options->queue_count > 0 ? options->queue_count : 1;
	writer->last = &writer->first;
	pthread_mutex_init(&writer->mutex, NULL);
	pthread_cond_init(&writer->wake, NULL);
	writer->full_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (writer->full_fd < 0) {
		rc = err_errno(err, errno, "eventfd");
		writer_destroy(writer);
		return rc;
	}
	/* Cursors point to the session they were opened in: none may be left. */
	session_forget(session);
	writer->session = *session;
	rc = pthread_create(&writer->thread, NULL, writer_main, writer);
	if (rc != 0) {
		writer->session = (struct store_session){ 0 };
		writer_destroy(writer);
		return err_errno(err, rc, "writer thread");
	}
	*session = (struct store_session){ 0 };
	*ret_writer = writer;
	return 0;
}

void writer_free(struct writer *writer)
{
	if (writer == NULL)
		return;
	pthread_mutex_lock(&writer->mutex);
	writer->closing = true;
	pthread_cond_signal(&writer->wake);
	eventfd_write(writer->full_fd, 1);
	pthread_mutex_unlock(&writer->mutex);
	pthread_join(writer->thread, NULL);
	writer_destroy(writer);
}

void writer_counters(struct writer *writer, struct store_counters *out)
{
	pthread_mutex_lock(&writer->mutex);
	*out = writer->counters;
	out->queued = writer->queued;
	pthread_mutex_unlock(&writer->mutex);
}
