/* The thread that hears of machines. What the hypervisor role says is untrusted. */
#include "manager/front/hypervisors_parts.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "manager/front/front_state.h"
#include "manager/messages.h"
#include "manager/queries.h"

#define LOOK_MS         5000
#define MESSAGES_A_TURN 256
#define SEND_WAIT_MS    5000

/* What the manager remembers of machines speaks as a hypervisor with this id. */
static const struct uuid memory_id;

struct known *hypervisors_known(struct hypervisors *hypervisors, const struct uuid *id)
{
	for (size_t i = 0; i < hypervisors->count; i++) {
		if (uuid_equal(&hypervisors->known[i].id, id))
			return &hypervisors->known[i];
	}
	return NULL;
}

/* --- which there are --- */

static struct known *place_for(struct hypervisors *hypervisors, const struct uuid *id)
{
	struct known *known = hypervisors_known(hypervisors, id);

	if (known != NULL || hypervisors->count == HYPERVISORS_MAX)
		return known;
	known = &hypervisors->known[hypervisors->count++];
	*known = (struct known){ .id = *id, .link = HYPERVISOR_CONNECTING };
	return known;
}

struct reading {
	struct hypervisors *hypervisors;
	bool seen[HYPERVISORS_MAX];
};

static void take_row(struct reading *reading, struct cursor *cursor)
{
	struct hypervisors *hypervisors = reading->hypervisors;
	const char *uri = cursor_text(cursor, "uri");
	bool enabled = cursor_number(cursor, "enabled") != 0;
	struct known *known;
	struct uuid id = { 0 };

	cursor_uuid(cursor, "id", &id);
	known = place_for(hypervisors, &id);
	if (known == NULL)
		return;
	reading->seen[known - hypervisors->known] = true;
	snprintf(known->name, sizeof(known->name), "%s", cursor_text(cursor, "name"));
	if (strcmp(known->uri, uri) == 0 && known->enabled == enabled)
		return;
	snprintf(known->uri, sizeof(known->uri), "%s", uri);
	known->enabled = enabled;
	known->round++;
	known->link = HYPERVISOR_CONNECTING;
	known->since = env_wall(hypervisors->front->env);
	known->failure[0] = '\0';
}

static int read_rows(struct store_session *session, void *argument, struct err *err)
{
	struct reading *reading = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_HYPERVISOR_ALL);

	pthread_mutex_lock(&reading->hypervisors->lock);
	while (cursor_next(cursor))
		take_row(reading, cursor);
	pthread_mutex_unlock(&reading->hypervisors->lock);
	return cursor_end(cursor, err);
}

/* Those that are gone or switched off say nothing more. */
static void drop_others(struct reading *reading, struct owners *changes)
{
	struct hypervisors *hypervisors = reading->hypervisors;

	for (size_t i = hypervisors->count; i-- > 0;) {
		struct known *known = &hypervisors->known[i];

		if (reading->seen[i] && known->enabled)
			continue;
		machines_forget(hypervisors->machines, &known->id, owners_note, changes);
		known_clear(known);
		if (reading->seen[i])
			continue;
		known_done(known);
		hypervisors->count--;
		if (i < hypervisors->count)
			*known = hypervisors->known[hypervisors->count];
		hypervisors->known[hypervisors->count] = (struct known){ 0 };
	}
}

/* changed: what they were changed to, to be noted as read. One that fails is made up for by the next change. */
static void reload(struct hypervisors *hypervisors, uint64_t changed)
{
	struct reading reading = { .hypervisors = hypervisors };
	struct owners changes = { 0 };
	struct err err = { 0 };
	int rc = store_read(hypervisors->front->store, read_rows, &reading, &err);

	if (rc != 0)
		LOG(LOG_ERROR, "hypervisors.load_failed", log_err(&err));
	pthread_mutex_lock(&hypervisors->lock);
	if (rc == 0) {
		drop_others(&reading, &changes);
		hypervisors->orders_changed = true;
	}
	hypervisors->rows_read = changed;
	pthread_cond_broadcast(&hypervisors->said);
	pthread_mutex_unlock(&hypervisors->lock);
	owners_spread(hypervisors, &changes);
}

/* --- what is remembered --- */

static int read_remembered(struct store_session *session, void *argument, struct err *err)
{
	static const struct uuid nobody;
	struct cursor *cursor = cursor_open(session, &QUERY_MACHINE_STOPPED);
	bool kept = true;
	int rc;

	while (kept && cursor_next(cursor)) {
		struct uuid machine = { 0 };

		cursor_uuid(cursor, "machine", &machine);
		kept = owners_add(argument, &nobody, &machine);
	}
	rc = cursor_end(cursor, err);
	return rc == 0 && !kept ? err_set(err, ERR_MEMORY, "no memory") : rc;
}

static void ignore_change(void *argument, const struct uuid *machine, enum machine_state state)
{
	(void)argument;
	(void)machine;
	(void)state;
}

/* The computers were restored as stopped: nothing is to be told. */
static int remember(struct hypervisors *hypervisors, struct err *err)
{
	struct owners owners = { 0 };
	struct machine_seen *seen;
	int rc = store_read(hypervisors->front->store, read_remembered, &owners, err);

	seen = calloc(owners.count + 1, sizeof(*seen));
	if (rc == 0 && seen == NULL)
		rc = err_set(err, ERR_MEMORY, "no memory");
	for (size_t i = 0; seen != NULL && i < owners.count; i++)
		seen[i] = (struct machine_seen){ owners.items[i].machine, MACHINE_STOPPED };
	if (rc == 0)
		rc = machines_listed(hypervisors->machines, &memory_id, seen, owners.count, ignore_change, NULL, err);
	hypervisors->remembered = rc == 0 && owners.count > 0;
	free(seen);
	owners_done(&owners);
	return rc;
}

/* The lock is held. */
static bool all_were_asked(const struct hypervisors *hypervisors)
{
	for (size_t i = 0; i < hypervisors->count; i++) {
		if (hypervisors->known[i].enabled && hypervisors->known[i].listed == 0)
			return false;
	}
	return true;
}

static void pass_time(struct hypervisors *hypervisors)
{
	struct owners changes = { 0 };

	pthread_mutex_lock(&hypervisors->lock);
	if (hypervisors->remembered && all_were_asked(hypervisors)) {
		machines_forget(hypervisors->machines, &memory_id, owners_note, &changes);
		hypervisors->remembered = false;
	}
	machines_tick(hypervisors->machines, owners_note, &changes);
	pthread_mutex_unlock(&hypervisors->lock);
	owners_spread(hypervisors, &changes);
}

/* --- what the role says --- */

static void tell_event(struct hypervisors *hypervisors, const struct known *known, bool failing)
{
	const struct front_field fields[] = { { "hypervisor", known->name }, { "cause", known->failure } };

	front_event_later(hypervisors->front, failing ? EVENT_HYPERVISOR_FAILING : EVENT_HYPERVISOR_WORKS, NULL, fields,
			  failing ? 2 : 1);
}

/* The lock is held. Told once, until it works again. */
static void note_link(struct hypervisors *hypervisors, struct known *known)
{
	bool failing = known->link == HYPERVISOR_FAILED;

	if (known->link != HYPERVISOR_CONNECTING && failing != known->failing) {
		known->failing = failing;
		tell_event(hypervisors, known, failing);
	}
	pthread_cond_broadcast(&hypervisors->said);
}

/* The lock is held. */
static int take_list(struct hypervisors *hypervisors, const struct known *known, struct owners *changes,
		     struct err *err)
{
	struct machine_seen *seen = calloc(known->count + 1, sizeof(*seen));
	int rc;

	if (seen == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	for (size_t i = 0; i < known->count; i++)
		seen[i] = (struct machine_seen){ known->machines[i].id, machine_state_of(known->machines[i].power) };
	rc = machines_listed(hypervisors->machines, &known->id, seen, known->count, owners_note, changes, err);
	free(seen);
	return rc;
}

static int hear_link(struct hypervisors *hypervisors, const struct channel_message *message, struct err *err)
{
	struct owners changes = { 0 };
	struct hypervisor_said said;
	struct known *known;
	int rc = 0;

	if (hypervisor_unpack_said(message->payload, message->size, &said) != 0)
		return err_set(err, ERR_DENIED, "a link that does not decode");
	pthread_mutex_lock(&hypervisors->lock);
	known = hypervisors_known(hypervisors, &said.id);
	if (known != NULL && known->enabled && known->round == said.round) {
		if (known_said(known, &said, env_wall(hypervisors->front->env)))
			rc = take_list(hypervisors, known, &changes, err);
		note_link(hypervisors, known);
	}
	pthread_mutex_unlock(&hypervisors->lock);
	if (rc != 0)
		LOG(LOG_ERROR, "hypervisors.lost", log_err(err));
	owners_spread(hypervisors, &changes);
	return 0;
}

static int hear_machines(struct hypervisors *hypervisors, const struct channel_message *message, struct err *err)
{
	struct hypervisor_machines *piece = calloc(1, sizeof(*piece));
	struct known *known;
	int rc = 0;

	if (piece == NULL)
		return 0; /* the list stays incomplete; the next one comes soon */
	if (hypervisor_unpack_machines(message->payload, message->size, piece) != 0)
		rc = err_set(err, ERR_DENIED, "machines that do not decode");
	pthread_mutex_lock(&hypervisors->lock);
	known = rc == 0 ? hypervisors_known(hypervisors, &piece->id) : NULL;
	if (known != NULL && known_take(known, piece) == ERR_LIMIT)
		rc = err_set(err, ERR_DENIED, "more machines than a hypervisor may have");
	pthread_mutex_unlock(&hypervisors->lock);
	free(piece);
	return rc;
}

static void role_gone(struct hypervisors *hypervisors)
{
	pthread_mutex_lock(&hypervisors->lock);
	if (hypervisors->open)
		channel_done(&hypervisors->role);
	hypervisors->open = false;
	for (size_t i = 0; i < hypervisors->count; i++) {
		if (hypervisors->known[i].enabled)
			known_fail(&hypervisors->known[i], HYPERVISORS_GONE, env_wall(hypervisors->front->env));
	}
	pthread_cond_broadcast(&hypervisors->said);
	pthread_mutex_unlock(&hypervisors->lock);
}

static void hear_role(struct hypervisors *hypervisors)
{
	struct channel_message message;
	struct err err = { 0 };
	int rc;

	/* One that never stops talking holds up nothing else. */
	for (unsigned i = 0; i < MESSAGES_A_TURN && hypervisors->open; i++) {
		rc = channel_receive(&hypervisors->role, &message, &err);
		if (rc == ERR_BUSY)
			return;
		if (rc == 0)
			rc = message.type == MESSAGE_LINK ? hear_link(hypervisors, &message, &err)
							  : hear_machines(hypervisors, &message, &err);
		if (rc == ERR_DENIED) {
			LOG(LOG_ERROR, "hypervisors.refused", log_err(&err));
			hypervisors->broken(hypervisors->argument);
		}
		if (rc != 0)
			role_gone(hypervisors);
	}
}

/* --- what the role is told --- */

static void send_orders(struct hypervisors *hypervisors)
{
	struct hypervisor_watch *watch = calloc(1, sizeof(*watch));
	struct err err = { 0 };
	struct buf packed;

	if (watch == NULL)
		return;
	pthread_mutex_lock(&hypervisors->lock);
	for (size_t i = 0; i < hypervisors->count; i++) {
		const struct known *known = &hypervisors->known[i];
		struct hypervisor_order *order = &watch->orders[watch->count];

		if (!known->enabled)
			continue;
		order->id = known->id;
		order->round = known->round;
		memcpy(order->uri, known->uri, sizeof(order->uri));
		watch->count++;
	}
	pthread_mutex_unlock(&hypervisors->lock);
	buf_init(&packed, CHANNEL_PAYLOAD_MAX_BYTES);
	hypervisor_pack_watch(&packed, watch);
	if (packed.status == 0 && channel_send_wait(&hypervisors->role, MESSAGE_WATCH, 0, packed.data, packed.size, -1,
						    SEND_WAIT_MS, &err) != 0) {
		LOG(LOG_WARNING, "hypervisors.not_told", log_err(&err));
		role_gone(hypervisors);
	}
	buf_done(&packed);
	free(watch);
}

static void take_channel(struct hypervisors *hypervisors, int fd)
{
	struct err err = { 0 };

	if (hypervisors->open)
		role_gone(hypervisors);
	pthread_mutex_lock(&hypervisors->lock);
	hypervisors->open = channel_init(&hypervisors->role, fd, messages_answered_by_hypervisor.permits,
					 messages_answered_by_hypervisor.count, &err) == 0;
	hypervisors->orders_changed = true;
	pthread_mutex_unlock(&hypervisors->lock);
	if (!hypervisors->open)
		close(fd);
}

/* --- the thread --- */

/* What other threads asked for. */
static bool take_wishes(struct hypervisors *hypervisors)
{
	struct owners reported;
	uint64_t changed, read;
	bool orders, stop;
	int fd;

	pthread_mutex_lock(&hypervisors->lock);
	fd = hypervisors->fresh_fd;
	hypervisors->fresh_fd = -1;
	changed = hypervisors->rows_changed;
	read = hypervisors->rows_read;
	reported = hypervisors->reported;
	hypervisors->reported = (struct owners){ 0 };
	stop = hypervisors->stop;
	pthread_mutex_unlock(&hypervisors->lock);
	if (fd >= 0)
		take_channel(hypervisors, fd);
	if (changed != read)
		reload(hypervisors, changed);
	pthread_mutex_lock(&hypervisors->lock);
	orders = hypervisors->orders_changed && hypervisors->open;
	hypervisors->orders_changed = hypervisors->orders_changed && !orders;
	pthread_mutex_unlock(&hypervisors->lock);
	if (orders)
		send_orders(hypervisors);
	owners_tell(hypervisors, &reported);
	owners_done(&reported);
	return !stop;
}

static void wait_for_something(struct hypervisors *hypervisors)
{
	struct pollfd watched[] = {
		{ .fd = hypervisors->wake_fd, .events = POLLIN },
		{ .fd = hypervisors->open ? hypervisors->role.fd : -1, .events = POLLIN },
	};
	bool idle = hypervisors->count == 0 && !hypervisors->remembered;
	eventfd_t value;

	(void)poll(watched, COUNT_OF(watched), idle ? -1 : LOOK_MS);
	(void)eventfd_read(hypervisors->wake_fd, &value);
}

static void *watch_over(void *argument)
{
	struct hypervisors *hypervisors = argument;

	while (take_wishes(hypervisors)) {
		hear_role(hypervisors);
		pass_time(hypervisors);
		wait_for_something(hypervisors);
	}
	return NULL;
}

/* --- from outside --- */

void hypervisors_wake(struct hypervisors *hypervisors)
{
	(void)eventfd_write(hypervisors->wake_fd, 1);
}

static void init_lock(struct hypervisors *hypervisors)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&hypervisors->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&hypervisors->said, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

static void discard(struct hypervisors *hypervisors)
{
	for (size_t i = 0; i < hypervisors->count; i++)
		known_done(&hypervisors->known[i]);
	if (hypervisors->open)
		channel_done(&hypervisors->role);
	if (hypervisors->fresh_fd >= 0)
		close(hypervisors->fresh_fd);
	if (hypervisors->wake_fd >= 0)
		close(hypervisors->wake_fd);
	owners_done(&hypervisors->reported);
	machines_free(hypervisors->machines);
	pthread_cond_destroy(&hypervisors->said);
	pthread_mutex_destroy(&hypervisors->lock);
	free(hypervisors);
}

int hypervisors_new(struct front *front, void (*broken)(void *argument), void *argument,
		    struct hypervisors **ret_hypervisors, struct err *err)
{
	struct hypervisors *hypervisors = calloc(1, sizeof(*hypervisors));
	int rc = 0;

	if (hypervisors == NULL)
		return err_set(err, ERR_MEMORY, "hypervisors: no memory");
	hypervisors->front = front;
	hypervisors->broken = broken;
	hypervisors->argument = argument;
	hypervisors->fresh_fd = -1;
	hypervisors->rows_changed = 1;
	init_lock(hypervisors);
	hypervisors->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	hypervisors->machines = machines_new(front->env);
	if (hypervisors->wake_fd < 0 || hypervisors->machines == NULL)
		rc = err_set(err, ERR_MEMORY, "hypervisors: no memory");
	if (rc == 0)
		rc = remember(hypervisors, err);
	if (rc == 0 && pthread_create(&hypervisors->thread, NULL, watch_over, hypervisors) != 0)
		rc = err_set(err, ERR_IO, "hypervisors: no thread");
	if (rc != 0) {
		discard(hypervisors);
		return rc;
	}
	*ret_hypervisors = hypervisors;
	return 0;
}

void hypervisors_free(struct hypervisors *hypervisors)
{
	if (hypervisors == NULL)
		return;
	pthread_mutex_lock(&hypervisors->lock);
	hypervisors->stop = true;
	pthread_cond_broadcast(&hypervisors->said);
	pthread_mutex_unlock(&hypervisors->lock);
	hypervisors_wake(hypervisors);
	pthread_join(hypervisors->thread, NULL);
	discard(hypervisors);
}

void hypervisors_attach(struct hypervisors *hypervisors, int fd)
{
	pthread_mutex_lock(&hypervisors->lock);
	if (hypervisors->fresh_fd >= 0)
		close(hypervisors->fresh_fd);
	hypervisors->fresh_fd = fd;
	pthread_mutex_unlock(&hypervisors->lock);
	hypervisors_wake(hypervisors);
}

/* Most machines are known to nobody: those cost a look, and no more. */
void hypervisors_reported(struct front *front, const struct uuid *computer, const struct uuid *machine)
{
	struct hypervisors *hypervisors = front->hypervisors;
	bool known, kept = true;

	pthread_mutex_lock(&hypervisors->lock);
	known = machines_state(hypervisors->machines, machine) != MACHINE_UNKNOWN;
	if (known)
		kept = owners_add(&hypervisors->reported, computer, machine);
	pthread_mutex_unlock(&hypervisors->lock);
	if (!kept)
		LOG(LOG_ERROR, "hypervisors.lost", log_uuid("computer", computer), log_text("error", "no memory"));
	else if (known)
		hypervisors_wake(hypervisors);
}
