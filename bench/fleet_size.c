/* What a computer costs in a small fleet and in a large one: the manager's own
 * parts (fleet, records, alerts, store, API handlers) without sockets.
 *
 *   muster-bench-fleet-size DIRECTORY COMPUTERS
 *
 * Processor time of this process, so that other work on the machine matters
 * little. Prints one JSON object of microseconds a computer:
 *   heartbeat  a report with nothing to say: decoded, heard, answered
 *   tick       the ticks of one heartbeat interval, four a second
 *   silence    it falls silent: found offline, event and alert stored
 *   back       it reports again: event stored, alert resolved
 *   list       its row in GET /computers, page by page
 *   show       GET /computers/{id}
 *   policies   GET /policies, of all the computers below: the call, not a computer's share
 * and the KiB that silence and back wrote a computer (written_silence, written_back),
 * which say more than time where other work is about.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "manager/api/call_state.h"
#include "manager/api/handlers.h"
#include "manager/front/front_state.h"
#include "manager/front/maintenance.h"
#include "manager/front/policies.h"
#include "manager/front/records.h"
#include "manager/front/ticking.h"
#include "manager/queries.h"

#define BATCH        20000 /* reports that wait for the store at once: [store] queue_count */
#define ROUNDS       3
#define POLICY_CALLS 1000
#define INTERVAL_US  (10 * MINUTE_US)
#define TICK_US      (250 * MILLISECOND_US)

static time_us clock_now = 1000 * SECOND_US;
static _Atomic uint64_t chance = 1;

/* It goes on while work is done, as it would: ids made later are larger. Only the monotonic clock, which decides
 * who is offline, stands still meanwhile. */
static time_us bench_wall(void *context)
{
	struct timespec now;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (time_us)1790000000 * SECOND_US + clock_now + now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

static time_us bench_monotonic(void *context)
{
	(void)context;
	return clock_now;
}

static uint64_t draw(void)
{
	uint64_t z = atomic_fetch_add(&chance, 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u; /* the writer draws too */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void bench_random(void *context, void *out, size_t size)
{
	uint8_t *bytes = out;

	(void)context;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)draw();
}

static const struct env env = { NULL, bench_wall, bench_monotonic, bench_random };

struct bench {
	char path[560];
	struct front front;
	struct api api;
	struct uuid *ids;
	uint32_t *order;
	size_t count;
	uint64_t sequence;
};

static void give_up(const char *what, const struct err *err)
{
	fprintf(stderr, "muster-bench-fleet-size: %s: %s\n", what, err->text);
	exit(1);
}

static double cpu_us(void)
{
	struct timespec spent;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	return (double)spent.tv_sec * 1e6 + (double)spent.tv_nsec / 1e3;
}

/* What this process has written so far, log and checkpoints; 0: the system does not say. */
static double written_kib(void)
{
	FILE *io = fopen("/proc/self/io", "re");
	char line[128];
	uint64_t bytes = 0;

	while (io != NULL && fgets(line, sizeof(line), io) != NULL) {
		if (strncmp(line, "wchar: ", 7) == 0)
			bytes = strtoull(line + 7, NULL, 10);
	}
	if (io != NULL)
		fclose(io);
	return (double)bytes / (double)KIB;
}

/* --- set up --- */

static void nothing_woken(void *context, void *parked)
{
	(void)context;
	(void)parked;
}

static void open_front(struct bench *bench, const char *directory)
{
	const struct store_options options = {
		.path = bench->path,
		.migrations = manager_migrations,
		.migration_count = manager_migration_count,
		.readers = 2,
		.group_span = 2 * MILLISECOND_US,
		.group_count = 2000,
		.queue_count = 1000000,
	};
	const struct fleet_options fleet = { .env = &env, .wake = nothing_woken };
	struct err err = { 0 };

	snprintf(bench->path, sizeof(bench->path) - sizeof(".lock"), "%s/fleet-%zu-%d.db", directory, bench->count,
		 (int)getpid());
	bench->front.env = &env;
	bench->api.front = &bench->front;
	if (store_open(&options, &bench->front.store, &err) != 0 ||
	    shards_new(&fleet, &bench->front.shards, &err) != 0 ||
	    event_switches_open(bench->front.store, &bench->front.switches, &err) != 0 ||
	    alerting_open(bench->front.store, &bench->front.alerting, &err) != 0 ||
	    (bench->front.feed = feed_new(&err)) == NULL)
		give_up("set up", &err);
}

/* What else an enrolment writes has values without it. */
static const struct store_statement insert = {
	"bench_insert",
	"INSERT INTO computer (id, name, certificate_fingerprint, certificate_not_after, enrolled, enrolment_attempt,"
	" status_since) VALUES (:id, :name, :fingerprint, 0, :enrolled, :id, :enrolled)"
};

static int insert_computer(struct store_session *session, size_t number, const struct uuid *id, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &insert);
	uint8_t fingerprint[SHA256_BYTES] = { 0 };
	char name[32];

	snprintf(name, sizeof(name), "computer-%07zu", number);
	memcpy(fingerprint, id->bytes, UUID_BYTES);
	cursor_bind_uuid(cursor, "id", id);
	cursor_bind_text(cursor, "name", name);
	cursor_bind_bytes(cursor, "fingerprint", fingerprint, SHA256_BYTES);
	cursor_bind_number(cursor, "enrolled", env_wall(&env));
	return cursor_run(cursor, err);
}

static int insert_all(struct store_session *session, void *argument, struct err *err)
{
	struct bench *bench = argument;
	int rc = 0;

	for (size_t i = 0; i < bench->count && rc == 0; i++)
		rc = insert_computer(session, i, &bench->ids[i], err);
	return rc;
}

static void make_computers(struct bench *bench)
{
	struct err err = { 0 };

	bench->ids = calloc(bench->count, sizeof(*bench->ids));
	bench->order = calloc(bench->count, sizeof(*bench->order));
	if (bench->ids == NULL || bench->order == NULL)
		exit(1);
	for (size_t i = 0; i < bench->count; i++) {
		clock_now += MILLISECOND_US; /* enrolled one after the other */
		bench->ids[i] = env_uuid(&env);
	}
	for (size_t i = 0; i < bench->count; i++) {
		size_t other = draw() % (i + 1);

		bench->order[i] = bench->order[other];
		bench->order[other] = (uint32_t)i;
	}
	if (store_write_wait(bench->front.store, insert_all, bench, &err) != 0)
		give_up("insert computers", &err);
	/* As at the manager's start: each hangs under its policy. */
	if (policies_new(&bench->front, &bench->front.policies, &err) != 0 || policies_load(&bench->front, &err) != 0)
		give_up("policies", &err);
	for (size_t i = 0; i < bench->count; i++) {
		struct fleet_computer record = { .id = bench->ids[i], .interval_us = INTERVAL_US, .missed = 2 },
				      filled = { 0 };

		policies_fill(&bench->front, &record.id, &filled);
		record.group = filled.group;
		if (fleet_add(shards_of(bench->front.shards, &record.id)->fleet, &record, &err) != 0)
			give_up("add a computer", &err);
	}
	maintenance_room(&bench->front);
}

/* --- reports --- */

struct heard {
	struct bench *bench;
	struct uuid id;
	struct buf bytes;
	struct arena *arena;
	Muster__Wire__Report *report;
	struct fleet_exchange *exchange;
	struct records *records;
};

static void encode(struct bench *bench, size_t index, struct heard *heard)
{
	Muster__Wire__Report report = MUSTER__WIRE__REPORT__INIT;
	Muster__Wire__Clock clock = MUSTER__WIRE__CLOCK__INIT;
	struct err err = { 0 };

	*heard = (struct heard){ .bench = bench, .id = bench->ids[index] };
	clock.wall_us = env_wall(&env);
	report.protocol = WIRE_PROTOCOL;
	report.computer = exchange_bytes(heard->id.bytes, UUID_BYTES);
	report.session = 7;
	report.sequence = bench->sequence;
	report.full = bench->sequence == 1;
	report.clock = &clock;
	buf_init(&heard->bytes, WIRE_REPORT_MAX_BYTES);
	if (exchange_report_encode(&report, &heard->bytes, &err) != 0)
		give_up("encode a report", &err);
}

static void answer(struct heard *heard)
{
	struct fleet *fleet = shards_of(heard->bench->front.shards, &heard->id)->fleet;
	Muster__Wire__Reply *reply;
	struct err err = { 0 };
	bool configuration;
	struct buf out;
	time_us until;

	buf_init(&out, WIRE_REPLY_MAX_BYTES);
	fleet_answer(fleet, heard->exchange, false, heard, &until);
	if (fleet_reply(fleet, heard->exchange, &reply, &configuration, &err) != 0 ||
	    exchange_reply_encode(reply, &out, &err) != 0)
		give_up("answer", &err);
	buf_done(&out);
	fleet_exchange_free(fleet, heard->exchange);
	records_free(heard->records);
	arena_free(heard->arena);
	buf_done(&heard->bytes);
}

static int write_heard(struct store_session *session, void *argument, struct err *err)
{
	const struct heard *heard = argument;

	return records_write(heard->records, &heard->bench->front, session, 0, err);
}

static int write_nothing(struct store_session *session, void *argument, struct err *err)
{
	(void)session;
	(void)argument;
	(void)err;
	return 0;
}

static void settle_writes(struct bench *bench)
{
	struct err err = { 0 };

	if (store_write_wait(bench->front.store, write_nothing, NULL, &err) != 0)
		give_up("store", &err);
}

/* Decodes and hears; queues the write if there is one. */
static void hear(struct heard *heard)
{
	struct bench *bench = heard->bench;
	struct fleet *fleet = shards_of(bench->front.shards, &heard->id)->fleet;
	struct err err = { 0 };

	if (exchange_report_decode(heard->bytes.data, heard->bytes.size, &heard->report, &heard->arena, &err) != 0 ||
	    fleet_heard(fleet, &heard->id, heard->report, &heard->exchange, &err) != 0)
		give_up("a report", &err);
	if (fleet_rows_empty(fleet_exchange_rows(heard->exchange)))
		return;
	if (records_make(fleet_exchange_rows(heard->exchange), heard->report->full, &env, &heard->records, &err) != 0 ||
	    store_write_of(bench->front.store, &heard->id, write_heard, NULL, heard) != 0)
		give_up("store a report", &err);
}

/* Every computer reports once, in an order of chance; microseconds of all. */
static double report_all(struct bench *bench)
{
	static struct heard batch[BATCH];
	double spent = 0;

	bench->sequence++;
	for (size_t first = 0; first < bench->count; first += BATCH) {
		size_t count = bench->count - first < BATCH ? bench->count - first : BATCH;
		bool written = false;
		double began;

		for (size_t i = 0; i < count; i++)
			encode(bench, bench->order[first + i], &batch[i]);
		began = cpu_us();
		for (size_t i = 0; i < count; i++) {
			hear(&batch[i]);
			if (batch[i].records == NULL)
				answer(&batch[i]);
			written |= batch[i].records != NULL;
		}
		if (written)
			settle_writes(bench);
		for (size_t i = 0; i < count; i++) {
			if (batch[i].records == NULL)
				continue;
			fleet_stored(shards_of(bench->front.shards, &batch[i].id)->fleet, batch[i].exchange, 0);
			answer(&batch[i]);
		}
		spent += cpu_us() - began;
	}
	return spent;
}

/* --- time passes --- */

static double tick_for(struct bench *bench, span_us span)
{
	double began = cpu_us();

	for (time_us end = clock_now + span; clock_now < end;) {
		clock_now += TICK_US;
		ticking_run(&bench->front);
	}
	settle_writes(bench);
	settle_writes(bench); /* those that the first ones' ends queued */
	return cpu_us() - began;
}

static int count_alerts(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_COUNT_OPEN);

	*(size_t *)argument = 0;
	while (cursor_next(cursor))
		*(size_t *)argument += (size_t)cursor_number(cursor, "count");
	return cursor_end(cursor, err);
}

static void expect_alerts(struct bench *bench, size_t wanted)
{
	struct err err = { 0 };
	size_t there = 0;

	if (store_read(bench->front.store, count_alerts, &there, &err) != 0)
		give_up("count alerts", &err);
	if (there != wanted) {
		fprintf(stderr, "muster-bench-fleet-size: %zu alerts are open, not %zu\n", there, wanted);
		exit(1);
	}
}

/* --- the API --- */

static json_t *call_handler(struct bench *bench, int (*handler)(struct api_call *call, struct err *err), json_t *query,
			    const struct uuid *id)
{
	static struct api_call call;
	struct err err = { 0 };
	json_t *json;

	call = (struct api_call){ .api = &bench->api, .query = query };
	if (id != NULL)
		call.id = *id;
	buf_init(&call.answer, API_ANSWER_MAX_BYTES);
	buf_init(&call.headers, API_HEADERS_MAX);
	if (handler(&call, &err) != 0 || call.status != 200)
		give_up("the API", &err);
	json = json_loadb((const char *)call.answer.data, call.answer.size, 0, NULL);
	buf_done(&call.answer);
	buf_done(&call.headers);
	json_decref(query);
	return json;
}

static double list_all(struct bench *bench)
{
	json_t *cursor = json_null();
	size_t seen = 0;
	double spent = 0;

	do {
		json_t *query = json_pack("{si}", "limit", 100), *page;
		double began;

		if (json_is_string(cursor))
			json_object_set(query, "cursor", cursor);
		json_decref(cursor);
		began = cpu_us();
		page = call_handler(bench, computer_list, query, NULL);
		spent += cpu_us() - began;
		seen += json_array_size(json_object_get(page, "items"));
		cursor = json_incref(json_object_get(page, "next"));
		json_decref(page);
	} while (json_is_string(cursor));
	json_decref(cursor);
	if (seen != bench->count)
		exit(1);
	return spent;
}

static double show_some(struct bench *bench, size_t count)
{
	double began = cpu_us();

	for (size_t i = 0; i < count; i++)
		json_decref(call_handler(bench, computer_show, json_object(), &bench->ids[bench->order[i]]));
	return (cpu_us() - began) / (double)count;
}

static double list_policies(struct bench *bench)
{
	double began = cpu_us();

	for (int i = 0; i < POLICY_CALLS; i++)
		json_decref(call_handler(bench, policy_list, json_object(), NULL));
	return (cpu_us() - began) / POLICY_CALLS;
}

static void run(struct bench *bench)
{
	double computers = (double)bench->count, heartbeat = 0, tick, silence, back, list, show, policies, written[3];

	report_all(bench);
	for (int i = 0; i < ROUNDS; i++)
		heartbeat += report_all(bench) / ROUNDS;
	tick = tick_for(bench, INTERVAL_US);
	expect_alerts(bench, 0);
	list = list_all(bench);
	show = show_some(bench, bench->count < 1000 ? bench->count : 1000);
	policies = list_policies(bench);
	written[0] = written_kib();
	silence = tick_for(bench, 2 * INTERVAL_US + 10 * SECOND_US);
	written[1] = written_kib();
	expect_alerts(bench, bench->count);
	back = report_all(bench);
	written[2] = written_kib();
	tick_for(bench, 10 * SECOND_US);
	expect_alerts(bench, 0);
	printf("{\"computers\":%zu,\"heartbeat\":%.3f,\"tick\":%.3f,\"silence\":%.3f,\"back\":%.3f,\"list\":%.3f,"
	       "\"show\":%.3f,\"policies\":%.3f,\"written_silence\":%.3f,\"written_back\":%.3f}\n",
	       bench->count, heartbeat / computers, tick / computers, silence / computers, back / computers,
	       list / computers, show, policies, (written[1] - written[0]) / computers,
	       (written[2] - written[1]) / computers);
}

static void tear_down(struct bench *bench)
{
	store_close(bench->front.store);
	unlink(bench->path);
	strcat(bench->path, ".lock");
	unlink(bench->path);
	policies_free(bench->front.policies);
	shards_free(bench->front.shards);
	event_switches_free(bench->front.switches);
	alerting_free(bench->front.alerting);
	feed_free(bench->front.feed);
	free(bench->ids);
	free(bench->order);
}

int main(int argc, char **argv)
{
	static struct bench bench;
	uint64_t count;

	if (argc != 3 || number_parse(argv[2], 100, 1000000, &count, NULL) != 0) {
		fprintf(stderr, "usage: muster-bench-fleet-size DIRECTORY COMPUTERS\n");
		return 2;
	}
	bench.count = (size_t)count;
	open_front(&bench, argv[1]);
	make_computers(&bench);
	run(&bench);
	tear_down(&bench);
	return 0;
}
