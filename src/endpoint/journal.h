/* Commands received, on disk: what was taken, where it stands, how it ended.
 *
 * A command is written before it is begun and its end before it is told, so
 * that it is never run twice. An end is kept until acknowledged, an id until
 * its envelope has expired and is refused for that; past JOURNAL_IDS_MAX the
 * lowest serial goes and `floor` takes its place: nothing below is begun.
 * Serials count per computer: an agent with a new identity starts afresh.
 */
#ifndef MUSTER_ENDPOINT_JOURNAL_H
#define MUSTER_ENDPOINT_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hex.h"
#include "endpoint/record_log.h"
#include "endpoint/revision.h"
#include "fleet/commands.h"
#include "fleet/event_types.h"
#include "wire/exchange.h"

#define JOURNAL_IDS_MAX    1024
#define JOURNAL_ACTIVE_MAX 64

struct journal_entry {
	struct journal_entry *next;
	struct uuid id;
	uint64_t serial;
	uint8_t kind;             /* enum command_kind; 0: cancelled before it came */
	enum command_state state; /* PENDING: taken, not begun */
	time_us issued, expires;  /* our wall clock: its time-out counts from, its envelope ends at */
	span_us timeout_us;
	bool acknowledged;
	bool timing_out;  /* the actor was told to stop it */
	bool asked;       /* to pause, resume or cancel: the actor was asked, and will say how it went */
	time_us deadline; /* monotonic */
	time_us give_up;  /* monotonic: ended as timed out though the actor says nothing */
	uint8_t *content; /* packed Command, until it ends */
	size_t content_size;
	uint8_t *result; /* packed: text code, text text, u16 count, fields */
	size_t result_size;
	time_us begin_again;           /* monotonic: its beginning could not be written; 0: it could */
	enum command_state wanted_end; /* could not be written yet; PENDING: none */
	uint8_t *wanted_result;        /* of wanted_end, packed */
	size_t wanted_size;
	struct revision revision;
	time_us progress_sent; /* monotonic */
	bool progress_new;
	Muster__Wire__Progress progress;
	uint8_t *progress_path;
};

struct journal {
	struct record_log log;
	struct uuid computer;
	struct journal_entry *entries; /* as received */
	size_t count;
	uint64_t floor;
	uint64_t configuration_serial;
};

int journal_open(struct journal *journal, const struct endpoint_storage *storage, const struct uuid *computer,
		 struct record_damage *ret_damage, struct err *err);
void journal_done(struct journal *journal);
struct journal_entry *journal_find(const struct journal *journal, const struct uuid *id);
size_t journal_active(const struct journal *journal);
/* Copies given (id, serial, kind, state, times, content); durable on return. */
int journal_receive(struct journal *journal, const struct journal_entry *given, struct journal_entry **ret_entry,
		    struct err *err);
/* Each is durable on return; on failure the entry is as before, but for the end that it wanted. */
int journal_begin(struct journal *journal, struct journal_entry *entry, struct err *err);
int journal_end(struct journal *journal, struct journal_entry *entry, enum command_state state, const char *code,
		const char *text, const struct event_field *result, size_t count, struct err *err);
/* Once more the end that could not be written. */
int journal_end_wanted(struct journal *journal, struct journal_entry *entry, struct err *err);
int journal_configuration(struct journal *journal, uint64_t serial, struct err *err);
/* Need not be durable: lost, it is acknowledged once more. */
void journal_acknowledge(struct journal *journal, struct journal_entry *entry);
/* Forgets what has expired at `now` (wall clock), keeps the file small. */
int journal_tidy(struct journal *journal, time_us now, struct err *err);

#endif
