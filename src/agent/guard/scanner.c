/* The scan program and its workers, as guard sees them. What they say is
 * believed about verdicts; a message out of order ends the worker. */
#include "agent/guard/scanner.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define DEFAULT_FILE_MS     120000
#define GRACE_MS            5000 /* the engine's own clock goes first */
#define DEFAULT_IDLE_EXIT_S 300
#define DEFAULT_WORKERS_MAX 4
#define FAILURES_MAX        5 /* program or worker ends in a row without one verdict between */
#define LOAD_MAX_US         (10 * MINUTE_US)

enum worker_state { WORKER_NONE, WORKER_STARTING, WORKER_READY, WORKER_DYING };

struct worker {
	enum worker_state state;
	struct channel channel;
	struct {
		uint32_t request;
		uint64_t cookie;
	} queue[SCANNER_QUEUE_MAX];
	size_t count;
	time_us head_since; /* since when it is at queue[0] */
	time_us rest_until; /* keeps to cpu_percent */
	bool hung;
};

struct scanner {
	const struct env *env;
	struct starter *starter;
	struct scanner_hooks hooks;
	void *context;
	struct message_limits limits;
	uint32_t worker_count, idle_exit_s, cpu_percent, next_request;
	enum scanner_state state;
	bool want_load;
	bool ending; /* the program's end is our wish */
	unsigned failures;
	struct channel channel; /* to the scan program */
	struct worker workers[SCAN_WORKERS_MAX];
	struct scan_version version;
	struct scan_loaded loaded;
	char failure[SCAN_MESSAGE_TEXT_BYTES];
	time_us last_used, load_since;
};

int scanner_new(const struct env *env, struct starter *starter, const struct scanner_hooks *hooks, void *context,
		struct scanner **ret_scanner, struct err *err)
{
	static const struct message_settings none;
	struct scanner *scanner = calloc(1, sizeof(*scanner));

	if (scanner == NULL)
		return err_set(err, ERR_MEMORY, "scanner: no memory");
	scanner->env = env;
	scanner->starter = starter;
	scanner->hooks = *hooks;
	scanner->context = context;
	scanner->channel.fd = -1;
	scanner_configure(scanner, &(struct message_limits){ 0 }, &none);
	*ret_scanner = scanner;
	return 0;
}

static uint32_t processors(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return count < 1 ? 1 : count < DEFAULT_WORKERS_MAX ? (uint32_t)count : DEFAULT_WORKERS_MAX;
}

void scanner_configure(struct scanner *scanner, const struct message_limits *limits,
		       const struct message_settings *settings)
{
	uint32_t count = settings->workers > 0 ? settings->workers : processors();

	scanner->limits = *limits;
	scanner->worker_count = count < SCAN_WORKERS_MAX ? count : SCAN_WORKERS_MAX;
	scanner->idle_exit_s = settings->idle_exit_s > 0 ? settings->idle_exit_s : DEFAULT_IDLE_EXIT_S;
	scanner->cpu_percent = settings->cpu_percent > 0 && settings->cpu_percent < 100 ? settings->cpu_percent : 100;
}

static void move(struct scanner *scanner, enum scanner_state state)
{
	if (scanner->state == state)
		return;
	scanner->state = state;
	scanner->hooks.changed(scanner->context);
}

static void drop_worker(struct worker *worker)
{
	channel_done(&worker->channel);
	*worker = (struct worker){ .channel.fd = -1 };
}

/* Whoever waited in a dead worker hears of it; what: how it died on its file, NULL when it died with the program. */
static void hand_back(struct scanner *scanner, struct worker *worker, const char *what)
{
	struct worker dead = *worker;

	*worker = (struct worker){ .channel.fd = -1 };
	channel_done(&dead.channel);
	for (size_t i = 0; i < dead.count; i++) {
		if (i == 0 && what != NULL)
			scanner->hooks.lost(scanner->context, dead.queue[0].cookie, what);
		else
			scanner->hooks.again(scanner->context, dead.queue[i].cookie, i == 0);
	}
}

static void fail(struct scanner *scanner, const char *why)
{
	snprintf(scanner->failure, sizeof(scanner->failure), "%s", why);
	scanner->ending = true;
	channel_done(&scanner->channel);
	(void)starter_kill(scanner->starter, STARTER_SCAN, NULL);
	move(scanner, SCANNER_FAILED);
}

void scanner_free(struct scanner *scanner)
{
	if (scanner == NULL)
		return;
	for (size_t i = 0; i < SCAN_WORKERS_MAX; i++)
		drop_worker(&scanner->workers[i]);
	channel_done(&scanner->channel);
	free(scanner);
}

static void start(struct scanner *scanner)
{
	int fds[2];
	struct err err = { 0 };
	int code = channel_pair(fds, &err);

	if (code == 0)
		code = channel_init(&scanner->channel, fds[0], scan_permits_guard, scan_permits_guard_count, &err);
	if (code == 0)
		code = starter_start(scanner->starter, STARTER_SCAN, fds[1], &err);
	if (code ==
	    ERR_CLOSED) { /* guard ends without its starter: what was to be scanned is scanned by the next one */
		channel_done(&scanner->channel);
		return;
	}
	if (code != 0) {
		fail(scanner, err.text);
		return;
	}
	scanner->ending = false;
	scanner->last_used = env_monotonic(scanner->env);
	move(scanner, SCANNER_STARTING);
}

static void load(struct scanner *scanner)
{
	if (channel_send_wait(&scanner->channel, SCAN_LOAD, 0, NULL, 0, -1, 1000, NULL) != 0)
		return; /* its end will be told */
	scanner->load_since = env_monotonic(scanner->env);
	move(scanner, SCANNER_LOADING);
}

static void start_workers(struct scanner *scanner)
{
	for (uint32_t i = 0; i < scanner->worker_count; i++) {
		struct worker *worker = &scanner->workers[i];
		struct buf out;

		if (worker->state != WORKER_NONE)
			continue;
		buf_init(&out, 256);
		scan_pack_worker(&out, i, &scanner->limits);
		if (out.status == 0 &&
		    channel_send(&scanner->channel, SCAN_WORKER_START, 0, out.data, out.size, -1, NULL) == 0)
			worker->state = WORKER_STARTING;
		buf_done(&out);
	}
}

void scanner_want(struct scanner *scanner, bool load_too)
{
	scanner->last_used = env_monotonic(scanner->env);
	scanner->want_load |= load_too;
	if (scanner->state == SCANNER_OFF && !scanner->ending)
		start(scanner);
	else if (scanner->state == SCANNER_IDLE && scanner->want_load)
		load(scanner);
	else if (scanner->state == SCANNER_READY)
		start_workers(scanner);
}

enum scanner_state scanner_state(const struct scanner *scanner)
{
	return scanner->state;
}

const struct scan_version *scanner_version(const struct scanner *scanner)
{
	return &scanner->version;
}

const struct scan_loaded *scanner_loaded(const struct scanner *scanner)
{
	return &scanner->loaded;
}

const char *scanner_failure(const struct scanner *scanner)
{
	return scanner->failure;
}

void scanner_reset(struct scanner *scanner)
{
	scanner->want_load = false;
	scanner->failures = 0;
	if (scanner->channel.fd >= 0) {
		scanner->ending = true; /* until the starter says that it ended */
		channel_done(&scanner->channel);
	}
	for (size_t i = 0; i < SCAN_WORKERS_MAX; i++)
		drop_worker(&scanner->workers[i]);
	move(scanner, SCANNER_OFF);
}

static struct worker *least_busy(const struct scanner *scanner)
{
	/* A worker that has to rest gets one file at a time. */
	size_t most = scanner->cpu_percent < 100 ? 1 : SCANNER_QUEUE_MAX;
	time_us now = env_monotonic(scanner->env);
	const struct worker *best = NULL;

	for (size_t i = 0; i < SCAN_WORKERS_MAX; i++) {
		const struct worker *worker = &scanner->workers[i];

		if (worker->state == WORKER_READY && worker->count < most && now >= worker->rest_until &&
		    (best == NULL || worker->count < best->count))
			best = worker;
	}
	return (struct worker *)(uintptr_t)best;
}

bool scanner_has_room(const struct scanner *scanner)
{
	return scanner->state == SCANNER_READY && least_busy(scanner) != NULL;
}

int scanner_submit(struct scanner *scanner, int fd, uint64_t cookie, struct err *err)
{
	struct worker *worker = scanner->state == SCANNER_READY ? least_busy(scanner) : NULL;
	uint32_t request = ++scanner->next_request;
	int code;

	if (worker == NULL)
		return err_set(err, ERR_BUSY, "no scan worker has room");
	code = channel_send(&worker->channel, SCAN_FILE, request, NULL, 0, fd, err);
	if (code == ERR_CLOSED) {
		worker->state = WORKER_DYING;
		return err_set(err, ERR_BUSY, "a scan worker is gone");
	}
	if (code != 0)
		return code;
	scanner->last_used = env_monotonic(scanner->env);
	if (worker->count == 0)
		worker->head_since = scanner->last_used;
	worker->queue[worker->count].request = request;
	worker->queue[worker->count++].cookie = cookie;
	return 0;
}

static void kill_worker(struct scanner *scanner, uint32_t number)
{
	struct buf out;

	buf_init(&out, 64);
	scan_pack_worker(&out, number, NULL);
	if (out.status == 0)
		(void)channel_send_wait(&scanner->channel, SCAN_WORKER_KILL, 0, out.data, out.size, -1, 1000, NULL);
	buf_done(&out);
	scanner->workers[number].state = WORKER_DYING;
}

void scanner_abandon(struct scanner *scanner)
{
	for (uint32_t i = 0; i < SCAN_WORKERS_MAX; i++) {
		if (scanner->workers[i].count == 0)
			continue;
		scanner->workers[i].count = 0;
		if (scanner->workers[i].state == WORKER_READY)
			kill_worker(scanner, i);
	}
}

size_t scanner_fds(const struct scanner *scanner, struct pollfd *watches)
{
	size_t count = 0;

	if (scanner->channel.fd >= 0)
		watches[count++] = (struct pollfd){ .fd = scanner->channel.fd, .events = POLLIN };
	for (size_t i = 0; i < SCAN_WORKERS_MAX; i++) {
		if (scanner->workers[i].state == WORKER_READY)
			watches[count++] = (struct pollfd){ .fd = scanner->workers[i].channel.fd, .events = POLLIN };
	}
	return count;
}

/* ---- what they say ---- */

/* 0: a verdict was taken; else there is none, or the worker is to end. */
static int take_verdict(struct scanner *scanner, struct worker *worker)
{
	struct channel_message message;
	struct scan_verdict verdict;
	uint64_t cookie;
	int code = channel_receive(&worker->channel, &message, NULL);

	if (code != 0)
		return code;
	if (worker->count == 0 || message.request != worker->queue[0].request ||
	    scan_unpack_verdict(message.payload, message.size, &verdict) != 0)
		return ERR_DENIED;
	cookie = worker->queue[0].cookie;
	worker->count--;
	memmove(&worker->queue[0], &worker->queue[1], worker->count * sizeof(worker->queue[0]));
	worker->head_since = scanner->last_used = env_monotonic(scanner->env);
	if (scanner->cpu_percent < 100)
		worker->rest_until = worker->head_since + (span_us)(verdict.duration_us * (100 - scanner->cpu_percent) /
								    scanner->cpu_percent);
	scanner->failures = 0;
	scanner->hooks.verdict(scanner->context, cookie, &verdict);
	return 0;
}

static void serve_worker(struct scanner *scanner, uint32_t number)
{
	struct worker *worker = &scanner->workers[number];
	int code = 0;

	while (code == 0 && worker->state == WORKER_READY)
		code = take_verdict(scanner, worker);
	if (code == ERR_CLOSED)
		worker->state = WORKER_DYING; /* WORKER_GONE tells how */
	else if (code != 0 && code != ERR_BUSY)
		kill_worker(scanner, number);
}

static void worker_gone(struct scanner *scanner, const struct scan_gone *gone)
{
	struct worker *worker = &scanner->workers[gone->number];
	char what[64];

	/* Verdicts it gave before it died still count. */
	while (worker->count > 0 && worker->channel.fd >= 0 && take_verdict(scanner, worker) == 0)
		continue;
	if (worker->hung)
		snprintf(what, sizeof(what), "took too long and was ended");
	else if (gone->signal != 0)
		snprintf(what, sizeof(what), "crashed (signal %u)", gone->signal);
	else
		snprintf(what, sizeof(what), "gave up (exit status %u)", gone->exit_code);
	if (worker->state != WORKER_DYING || worker->count > 0)
		scanner->failures++;
	hand_back(scanner, worker, what);
	if (scanner->failures >= FAILURES_MAX)
		fail(scanner, "scan workers end again and again");
	else
		start_workers(scanner);
}

static int on_version(struct scanner *scanner, const struct channel_message *message)
{
	int code = scan_unpack_version(message->payload, message->size, &scanner->version);

	if (code == 0 && scanner->state == SCANNER_STARTING) {
		move(scanner, SCANNER_IDLE);
		if (scanner->want_load && scanner->state == SCANNER_IDLE)
			load(scanner);
	}
	return code;
}

static int on_loaded(struct scanner *scanner, const struct channel_message *message)
{
	int code = scan_unpack_loaded(message->payload, message->size, &scanner->loaded);

	if (code != 0)
		return code;
	if (scanner->loaded.failure != SCAN_LOAD_FINE) {
		fail(scanner, scanner->loaded.text);
		return 0;
	}
	scanner->version = scanner->loaded.version;
	move(scanner, SCANNER_READY);
	start_workers(scanner);
	return 0;
}

static int on_worker(struct scanner *scanner, struct channel_message *message)
{
	uint32_t number = 0;
	struct worker *worker;
	int code = scan_unpack_worker(message->payload, message->size, &number, NULL);

	if (code == 0 && (number >= SCAN_WORKERS_MAX || scanner->workers[number].state != WORKER_STARTING))
		code = ERR_DENIED;
	worker = &scanner->workers[code == 0 ? number : 0];
	if (code == 0)
		code = channel_init(&worker->channel, message->fd, scan_permits_verdicts, scan_permits_verdicts_count,
				    NULL);
	if (code != 0) {
		close(message->fd);
		return code;
	}
	worker->state = WORKER_READY;
	scanner->hooks.changed(scanner->context);
	return 0;
}

static int on_gone(struct scanner *scanner, const struct channel_message *message)
{
	struct scan_gone gone;
	int code = scan_unpack_gone(message->payload, message->size, &gone);

	if (code == 0 && gone.number >= SCAN_WORKERS_MAX)
		code = ERR_DENIED;
	if (code == 0)
		worker_gone(scanner, &gone);
	return code;
}

static int serve_program(struct scanner *scanner)
{
	struct channel_message message;
	int code = channel_receive(&scanner->channel, &message, NULL);

	if (code != 0)
		return code;
	switch (message.type) {
	case SCAN_VERSION:
		return on_version(scanner, &message);
	case SCAN_LOADED:
		return on_loaded(scanner, &message);
	case SCAN_WORKER:
		return on_worker(scanner, &message);
	default:
		return on_gone(scanner, &message);
	}
}

void scanner_serve(struct scanner *scanner)
{
	int code = 0;

	for (uint32_t i = 0; i < SCAN_WORKERS_MAX; i++) {
		if (scanner->workers[i].state == WORKER_READY)
			serve_worker(scanner, i);
	}
	while (code == 0 && scanner->channel.fd >= 0)
		code = serve_program(scanner);
	if (code != 0 && code != ERR_BUSY && code != ERR_CLOSED) {
		LOG(LOG_ERROR, "guard.scan_program_misbehaves", log_text("code", err_name(code)));
		(void)starter_kill(scanner->starter, STARTER_SCAN, NULL);
	}
	if (code != 0 && code != ERR_BUSY)
		channel_done(&scanner->channel); /* the starter tells that it ended */
}

void scanner_ended(struct scanner *scanner, const char *cause)
{
	bool expected = scanner->ending;

	scanner->ending = false;
	channel_done(&scanner->channel);
	for (size_t i = 0; i < SCAN_WORKERS_MAX; i++) {
		struct worker *worker = &scanner->workers[i];

		while (worker->count > 0 && worker->channel.fd >= 0 && take_verdict(scanner, worker) == 0)
			continue;
		hand_back(scanner, worker, NULL);
	}
	if (!expected && ++scanner->failures >= FAILURES_MAX)
		fail(scanner, cause);
	if (scanner->state == SCANNER_FAILED) {
		scanner->ending = false;
		return;
	}
	move(scanner, SCANNER_OFF);
	if (!expected || scanner->want_load)
		scanner->hooks.changed(scanner->context);
}

static bool is_busy(const struct scanner *scanner)
{
	for (size_t i = 0; i < SCAN_WORKERS_MAX; i++) {
		if (scanner->workers[i].count > 0)
			return true;
	}
	return false;
}

static time_us earlier(time_us a, time_us b)
{
	return a < b ? a : b;
}

time_us scanner_tick(struct scanner *scanner)
{
	uint32_t file_ms = scanner->limits.file_ms_max > 0 ? scanner->limits.file_ms_max : DEFAULT_FILE_MS;
	time_us now = env_monotonic(scanner->env);
	time_us next = INT64_MAX;

	for (uint32_t i = 0; i < SCAN_WORKERS_MAX; i++) {
		struct worker *worker = &scanner->workers[i];
		time_us limit = worker->head_since + (file_ms + GRACE_MS) * MILLISECOND_US;

		if (worker->state == WORKER_READY && worker->rest_until > now)
			next = earlier(next, worker->rest_until);
		if (worker->state != WORKER_READY || worker->count == 0)
			continue;
		if (now >= limit) {
			worker->hung = true;
			kill_worker(scanner, i);
		} else {
			next = earlier(next, limit);
		}
	}
	if (scanner->state == SCANNER_LOADING) {
		if (now >= scanner->load_since + LOAD_MAX_US)
			fail(scanner, "loading the signatures takes too long");
		next = earlier(next, scanner->load_since + LOAD_MAX_US);
	}
	if ((scanner->state == SCANNER_READY || scanner->state == SCANNER_IDLE) && !is_busy(scanner)) {
		time_us limit = scanner->last_used + scanner->idle_exit_s * SECOND_US;

		if (now >= limit)
			scanner_reset(scanner);
		else
			next = earlier(next, limit);
	}
	return next;
}
