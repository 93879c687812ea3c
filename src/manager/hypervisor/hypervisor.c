/* The hypervisor role: tells front which machines run, as hypervisors say.
 *
 * A program of its own, since libvirt brings much along that the other roles
 * should not have in them. Own user, reads the directory of its keys and what
 * libvirt needs, starts no program, listens nowhere. A thread a hypervisor asks
 * every LOOK_S, and at once when the hypervisor tells of a change; a call that
 * does not return is told as a failure after PATIENCE_S, and ends this process
 * after HANG_S: the supervisor starts it again, and front keeps what is known
 * meanwhile. What front asks is decoded like outside input.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "manager/hypervisor/watch.h"
#include "manager/layout.h"
#include "manager/messages.h"
#include "manager/role_start.h"
#include "os/env.h"
#include "os/file_mark.h"

#define LOOK_S           10
#define AGAIN_FIRST_S    2
#define AGAIN_MAX_S      60
#define PATIENCE_S       30
#define HANG_S           120
#define SEND_WAIT_MS     10000
#define WATCHDOG_STEP_MS 5000

#define KEY_FILES 5

struct role;

/* Keys and certificates that people put there, with which it connects. */
static const char *const key_files[KEY_FILES] = { "id", "known_hosts", "cacert.pem", "clientcert.pem",
						  "clientkey.pem" };

/* A place for one hypervisor, and its thread once it was needed. */
struct place {
	struct role *role;
	pthread_t thread;
	bool begun;
	pthread_cond_t changed;
	bool wanted, poked; /* under the role's lock, like what follows */
	struct hypervisor_order order;
	time_us busy_since; /* 0: waits */
	bool told_busy;
	/* The thread's alone. */
	struct watch watch;
	struct file_mark used[KEY_FILES], last[KEY_FILES]; /* as it connected, and at the last look */
	struct hypervisor_order served;
	unsigned failures;
};

struct role {
	char directory[LAYOUT_PATH_BYTES];
	struct channel supervisor, front;
	bool front_open, stop;
	pthread_mutex_t lock; /* of places, and of sending to front */
	struct place places[HYPERVISORS_MAX];
};

/* --- telling front; the lock is held --- */

static void send_to_front(struct role *role, uint16_t type, const struct buf *packed)
{
	struct err err = { 0 };

	if (role->front_open && packed->status == 0 &&
	    channel_send_wait(&role->front, type, 0, packed->data, packed->size, -1, SEND_WAIT_MS, &err) != 0)
		LOG(LOG_WARNING, "hypervisor.not_told", log_err(&err));
}

static void tell_link(struct role *role, const struct hypervisor_order *order, enum hypervisor_link link,
		      const char *text)
{
	struct hypervisor_said said = { .id = order->id, .round = order->round, .link = link };
	struct buf packed;

	snprintf(said.text, sizeof(said.text), "%s", text);
	buf_init(&packed, CHANNEL_PAYLOAD_MAX_BYTES);
	hypervisor_pack_said(&packed, &said);
	send_to_front(role, MESSAGE_LINK, &packed);
	buf_done(&packed);
}

static void tell_chunk(struct role *role, const struct hypervisor_machines *chunk)
{
	struct buf packed;

	buf_init(&packed, CHANNEL_PAYLOAD_MAX_BYTES);
	hypervisor_pack_machines(&packed, chunk);
	send_to_front(role, MESSAGE_MACHINES, &packed);
	buf_done(&packed);
}

static int tell_machines(struct role *role, const struct hypervisor_order *order,
			 const struct hypervisor_machine *machines, size_t count)
{
	struct hypervisor_machines *chunk = calloc(1, sizeof(*chunk));
	size_t done = 0;

	if (chunk == NULL)
		return ERR_MEMORY;
	do {
		chunk->id = order->id;
		chunk->round = order->round;
		chunk->first = done == 0;
		chunk->count = count - done < HYPERVISOR_CHUNK ? count - done : HYPERVISOR_CHUNK;
		if (chunk->count > 0)
			memcpy(chunk->machines, machines + done, chunk->count * sizeof(*machines));
		tell_chunk(role, chunk);
		done += chunk->count;
	} while (done < count);
	free(chunk);
	tell_link(role, order, HYPERVISOR_CONNECTED, "");
	return 0;
}

/* --- a hypervisor's thread --- */

static void poke(void *argument)
{
	struct place *place = argument;

	pthread_mutex_lock(&place->role->lock);
	place->poked = true;
	pthread_cond_signal(&place->changed);
	pthread_mutex_unlock(&place->role->lock);
}

static bool is_same(const struct hypervisor_order *a, const struct hypervisor_order *b)
{
	return uuid_equal(&a->id, &b->id) && a->round == b->round && strcmp(a->uri, b->uri) == 0;
}

static void look_at_keys(const struct place *place, struct file_mark marks[KEY_FILES])
{
	for (size_t i = 0; i < KEY_FILES; i++) {
		char path[LAYOUT_PATH_BYTES + 32];

		snprintf(path, sizeof(path), "%s/%s", place->role->directory, key_files[i]);
		file_mark_look(path, &marks[i]);
	}
}

static bool are_same(const struct file_mark a[KEY_FILES], const struct file_mark b[KEY_FILES])
{
	size_t i = 0;

	while (i < KEY_FILES && file_mark_is(&a[i], &b[i]))
		i++;
	return i == KEY_FILES;
}

/* Others than those it connected with, and nobody is at it any more: two looks see the same. */
static bool keys_changed(struct place *place)
{
	struct file_mark now[KEY_FILES];
	bool steady;

	look_at_keys(place, now);
	steady = are_same(now, place->last);
	memcpy(place->last, now, sizeof(now));
	return steady && !are_same(now, place->used);
}

static int connect_anew(struct place *place, const struct hypervisor_order *order, struct err *err)
{
	watch_close(&place->watch);
	pthread_mutex_lock(&place->role->lock);
	tell_link(place->role, order, HYPERVISOR_CONNECTING, "");
	pthread_mutex_unlock(&place->role->lock);
	place->served = *order;
	look_at_keys(place, place->used);
	memcpy(place->last, place->used, sizeof(place->last));
	place->watch = (struct watch){ .events = -1, .poked = poke, .argument = place };
	return watch_connect(&place->watch, order->uri, place->role->directory, err);
}

static void look(struct place *place, const struct hypervisor_order *order)
{
	struct hypervisor_machine *machines = NULL;
	struct err err = { 0 };
	size_t count = 0;
	int rc = 0;

	if (place->watch.connection == NULL || !is_same(&place->served, order) || keys_changed(place))
		rc = connect_anew(place, order, &err);
	if (rc == 0)
		rc = watch_list(&place->watch, &machines, &count, &err);
	pthread_mutex_lock(&place->role->lock);
	if (rc == 0 && tell_machines(place->role, order, machines, count) != 0)
		rc = err_set(&err, ERR_MEMORY, "no memory");
	if (rc != 0)
		tell_link(place->role, order, HYPERVISOR_FAILED, err.text);
	pthread_mutex_unlock(&place->role->lock);
	free(machines);
	place->failures = rc == 0 ? 0 : place->failures + 1;
	if (rc != 0)
		watch_close(&place->watch);
}

static unsigned pause_s(const struct place *place)
{
	unsigned pause = (unsigned)AGAIN_FIRST_S << (place->failures < 6 ? place->failures : 6);

	if (place->failures == 0)
		return LOOK_S;
	return pause < AGAIN_MAX_S ? pause : AGAIN_MAX_S;
}

/* The lock is held. Until the next look, or until something is new. */
static void rest(struct place *place)
{
	const struct timespec moment = env_system_after((span_us)pause_s(place) * SECOND_US);
	int rc = 0;

	while (rc == 0 && place->wanted && !place->poked && is_same(&place->order, &place->served))
		rc = pthread_cond_timedwait(&place->changed, &place->role->lock, &moment);
}

static void hang_up(struct place *place)
{
	pthread_mutex_unlock(&place->role->lock);
	watch_close(&place->watch);
	pthread_mutex_lock(&place->role->lock);
}

static void *serve_place(void *argument)
{
	struct place *place = argument;
	struct role *role = place->role;

	pthread_mutex_lock(&role->lock);
	for (;;) {
		struct hypervisor_order order = place->order;

		place->busy_since = env_monotonic(env_system());
		place->told_busy = place->poked = false;
		if (place->wanted) {
			pthread_mutex_unlock(&role->lock);
			look(place, &order);
			pthread_mutex_lock(&role->lock);
		} else {
			hang_up(place);
		}
		place->busy_since = 0;
		rest(place);
		while (!place->wanted && place->watch.connection == NULL)
			pthread_cond_wait(&place->changed, &role->lock);
	}
	return NULL;
}

/* --- what front asks --- */

static struct place *place_of(struct role *role, const struct uuid *id)
{
	struct place *empty = NULL;

	for (size_t i = 0; i < HYPERVISORS_MAX; i++) {
		struct place *place = &role->places[i];

		if (place->wanted && uuid_equal(&place->order.id, id))
			return place;
		if (!place->wanted && empty == NULL)
			empty = place;
	}
	return empty;
}

static bool is_among(const struct hypervisor_watch *watch, const struct uuid *id)
{
	for (size_t i = 0; i < watch->count; i++) {
		if (uuid_equal(&watch->orders[i].id, id))
			return true;
	}
	return false;
}

static void begin_thread(struct place *place)
{
	struct err err = { 0 };
	int rc;

	if (place->begun)
		return;
	rc = pthread_create(&place->thread, NULL, serve_place, place);
	place->begun = rc == 0;
	if (rc != 0) {
		err_errno(&err, rc, "start a thread");
		tell_link(place->role, &place->order, HYPERVISOR_FAILED, err.text);
		place->wanted = false;
	}
}

static void obey(struct role *role, const struct hypervisor_watch *watch)
{
	pthread_mutex_lock(&role->lock);
	for (size_t i = 0; i < HYPERVISORS_MAX; i++) {
		struct place *place = &role->places[i];

		if (place->wanted && !is_among(watch, &place->order.id)) {
			place->wanted = false;
			pthread_cond_signal(&place->changed);
		}
	}
	for (size_t i = 0; i < watch->count; i++) {
		struct place *place = place_of(role, &watch->orders[i].id);

		if (place == NULL)
			continue; /* there is a place for each */
		place->order = watch->orders[i];
		place->wanted = true;
		begin_thread(place);
		pthread_cond_signal(&place->changed);
	}
	pthread_mutex_unlock(&role->lock);
}

static void close_front(struct role *role)
{
	pthread_mutex_lock(&role->lock);
	if (role->front_open)
		channel_done(&role->front);
	role->front_open = false;
	pthread_mutex_unlock(&role->lock);
}

static void hear_front(struct role *role)
{
	static struct hypervisor_watch watch;
	struct channel_message message;
	struct err err = { 0 };
	int rc = channel_receive(&role->front, &message, &err);

	if (rc == ERR_BUSY)
		return;
	if (rc == 0 && hypervisor_unpack_watch(message.payload, message.size, &watch) != 0)
		rc = err_set(&err, ERR_DENIED, "an order that does not decode");
	if (rc == 0) {
		obey(role, &watch);
		return;
	}
	close_front(role);
	if (rc == ERR_CLOSED)
		return;
	LOG(LOG_ERROR, "hypervisor.peer_broke_rules", log_text("peer", "front"), log_err(&err));
	channel_send(&role->supervisor, MESSAGE_BROKEN, 0, NULL, 0, -1, &err);
}

static void hear_supervisor(struct role *role)
{
	struct channel_message message;
	struct err err = { 0 };
	int rc = channel_receive(&role->supervisor, &message, &err);

	if (rc == ERR_BUSY)
		return;
	if (rc != 0 || message.type != MESSAGE_ATTACH) {
		role->stop = true;
		return;
	}
	close_front(role);
	pthread_mutex_lock(&role->lock);
	rc = channel_init(&role->front, message.fd, messages_asked_of_hypervisor.permits,
			  messages_asked_of_hypervisor.count, &err);
	role->front_open = rc == 0;
	pthread_mutex_unlock(&role->lock);
	if (rc != 0)
		close(message.fd);
}

/* --- calls that do not return --- */

static void watch_over(struct role *role)
{
	time_us now = env_monotonic(env_system());
	bool hangs = false;

	pthread_mutex_lock(&role->lock);
	for (size_t i = 0; i < HYPERVISORS_MAX; i++) {
		struct place *place = &role->places[i];
		span_us busy = place->busy_since != 0 ? now - place->busy_since : 0;

		if (busy > PATIENCE_S * SECOND_US && !place->told_busy && place->wanted)
			tell_link(role, &place->order, HYPERVISOR_FAILED, "it does not answer");
		place->told_busy = place->told_busy || busy > PATIENCE_S * SECOND_US;
		hangs = hangs || busy > HANG_S * SECOND_US;
	}
	pthread_mutex_unlock(&role->lock);
	if (hangs) {
		LOG(LOG_ERROR, "hypervisor.hangs", log_number("seconds", HANG_S));
		_exit(1);
	}
}

/* Nobody can hang who was never asked. */
static int patience_ms(const struct role *role)
{
	for (size_t i = 0; i < HYPERVISORS_MAX; i++) {
		if (role->places[i].begun)
			return WATCHDOG_STEP_MS;
	}
	return -1;
}

static void serve(struct role *role)
{
	while (!role->stop) {
		struct pollfd watched[2] = {
			{ .fd = role->supervisor.fd, .events = POLLIN },
			{ .fd = role->front_open ? role->front.fd : -1, .events = POLLIN },
		};

		if (poll(watched, COUNT_OF(watched), patience_ms(role)) < 0 && errno != EINTR)
			return;
		if (watched[0].revents != 0)
			hear_supervisor(role);
		else if (watched[1].revents != 0)
			hear_front(role);
		watch_over(role);
	}
}

/* --- from start to end --- */

static void *run_loop(void *argument)
{
	(void)argument;
	watch_loop();
	LOG(LOG_ERROR, "hypervisor.loop_ended", log_text("error", "libvirt's event loop ended"));
	_exit(1);
}

static void prepare(struct role *role)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&role->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	for (size_t i = 0; i < HYPERVISORS_MAX; i++) {
		role->places[i].role = role;
		role->places[i].watch.events = -1;
		pthread_cond_init(&role->places[i].changed, &monotonic);
	}
	pthread_condattr_destroy(&monotonic);
}

/* libvirt looks for settings, keys and a cache where the environment says: nowhere but in our own directory. */
static int settle(struct role *role, const char *reached, struct err *err)
{
	if ((size_t)snprintf(role->directory, sizeof(role->directory), "%s/%s", reached, LAYOUT_HYPERVISOR) >=
	    sizeof(role->directory))
		return err_set(err, ERR_LIMIT, "the data directory's path is too long");
	if (clearenv() != 0 || setenv("HOME", role->directory, 1) != 0)
		return err_set(err, ERR_MEMORY, "no memory");
	return watch_begin(err);
}

static int start(struct role *role, const char *data_directory, struct err *err)
{
	char reached[LAYOUT_PATH_BYTES];
	pthread_t loop;
	int rc = role_start(ROLE_NAME_HYPERVISOR, data_directory, &role->supervisor, err);

	if (rc == 0)
		rc = role_enclose(ROLE_NAME_HYPERVISOR, data_directory, reached, sizeof(reached), err);
	if (rc == 0)
		rc = settle(role, reached, err);
	if (rc == 0 && (rc = pthread_create(&loop, NULL, run_loop, NULL)) != 0)
		rc = err_errno(err, rc, "start a thread");
	return rc == 0 ? channel_send(&role->supervisor, MESSAGE_READY, 0, NULL, 0, -1, err) : rc;
}

int main(int argc, char **argv)
{
	static struct role role = { .supervisor = { .fd = -1 }, .front = { .fd = -1 } };
	struct err err = { 0 };

	if (argc != 5 || strcmp(argv[1], "role") != 0 || strcmp(argv[2], ROLE_NAME_HYPERVISOR) != 0 ||
	    strcmp(argv[3], "--data") != 0) {
		fprintf(stderr, "muster-manager-hypervisor is started by `muster-manager run`, not by hand\n");
		return 2;
	}
	prepare(&role);
	if (start(&role, argv[4], &err) != 0) {
		LOG(LOG_ERROR, "hypervisor.failed", log_err(&err));
		return 1;
	}
	LOG(LOG_INFO, "hypervisor.started", log_number("pid", getpid()));
	serve(&role);
	LOG(LOG_INFO, "hypervisor.stopped", log_number("pid", getpid()));
	/* Threads may be inside libvirt for as long as a hypervisor likes; nothing here outlives the process. */
	_exit(0);
}
