/* The one thread that writes, and its bounded queue: inside src/store only. */
#ifndef MUSTER_STORE_WRITER_H
#define MUSTER_STORE_WRITER_H

#include "store/session.h"

struct writer;

/* Starts the thread, which takes over the session (and closes it at the end). */
int writer_new(struct store_session *session, const struct store_options *options, struct writer **ret_writer,
	       struct err *err);
/* Finishes what is queued, refuses more, joins the thread. Accepts NULL. */
void writer_free(struct writer *writer);
int writer_queue(struct writer *writer, const struct uuid *of, store_function function,
		 void (*done)(void *argument, int rc, const struct err *err), void *argument);
void writer_counters(struct writer *writer, struct store_counters *out);

#endif
