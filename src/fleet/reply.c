/* Answer now or hold, and what the answer says. Everything in it is durable. */
#include <string.h>

#include "fleet/parts.h"

#define REPLY_COMMANDS_BYTES (512 * KIB)

/* --- parking --- */

void exchange_unpark(struct fleet *fleet, struct fleet_exchange *exchange)
{
	struct computer *computer;

	if (!exchange->is_parked)
		return;
	computer = computer_find(fleet, &exchange->computer);
	if (exchange->previous != NULL)
		exchange->previous->next = exchange->next;
	else if (computer != NULL)
		computer->parked = exchange->next;
	if (exchange->next != NULL)
		exchange->next->previous = exchange->previous;
	exchange->next = exchange->previous = NULL;
	exchange->is_parked = false;
	if (computer != NULL)
		dialling_update(fleet, computer);
}

static void park(struct computer *computer, struct fleet_exchange *exchange, void *parked)
{
	exchange->parked = parked;
	exchange->is_parked = true;
	exchange->previous = NULL;
	exchange->next = computer->parked;
	if (exchange->next != NULL)
		exchange->next->previous = exchange;
	computer->parked = exchange;
}

/* Wakes one parked request: of the given session, else any. NULL: any. */
void fleet_wake(struct fleet *fleet, struct computer *computer, const uint64_t *session)
{
	struct fleet_exchange *exchange = computer->parked;

	while (session != NULL && exchange != NULL && exchange->session != *session)
		exchange = exchange->next;
	if (exchange == NULL)
		exchange = computer->parked;
	if (exchange == NULL)
		return;
	dialling_woken(fleet, computer);
	exchange_unpark(fleet, exchange);
	fleet->options.wake(fleet->options.context, exchange->parked);
}

/* An agent parks one request: an older one of the same run lost its connection. */
static void displace(struct fleet *fleet, struct computer *computer, uint64_t session)
{
	struct fleet_exchange *exchange = computer->parked;

	while (exchange != NULL && exchange->session != session)
		exchange = exchange->next;
	if (exchange == NULL)
		return;
	exchange_unpark(fleet, exchange);
	fleet->options.wake(fleet->options.context, exchange->parked);
}

static bool is_wanted(const struct computer *computer)
{
	static const uint8_t none[SHA256_BYTES];

	return memcmp(computer->wanted_configuration, none, SHA256_BYTES) != 0;
}

bool configuration_differs(const struct computer *computer)
{
	return is_wanted(computer) &&
	       memcmp(computer->wanted_configuration, computer->configuration, SHA256_BYTES) != 0;
}

bool configuration_refusal_is_over(const struct computer *computer)
{
	return computer->tells_refusal && is_wanted(computer) && !configuration_differs(computer);
}

static bool configuration_wanting(const struct computer *computer)
{
	return configuration_differs(computer) || configuration_refusal_is_over(computer);
}

time_us configuration_at(const struct fleet *fleet, const struct computer *computer)
{
	return configuration_wanting(computer) && key_obeys(fleet, computer) ? computer->configuration_next
									     : FLEET_NEVER;
}

time_us configuration_wake_at(const struct fleet *fleet, const struct computer *computer)
{
	return computer->parked != NULL ? configuration_at(fleet, computer) : FLEET_NEVER;
}

bool orders_waiting(const struct fleet *fleet, const struct computer *computer, time_us now, time_us *ret_next)
{
	*ret_next = FLEET_NEVER;
	return key_obeys(fleet, computer) && open_commands_waiting(computer, now, ret_next);
}

time_us reply_wake_at(const struct computer *computer)
{
	return computer->parked != NULL ? computer->reply_wanted : FLEET_NEVER;
}

int fleet_want_reply(struct fleet *fleet, const struct uuid *id, time_us at, struct err *err)
{
	struct computer *computer = computer_find(fleet, id);

	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "no such computer");
	computer->reply_wanted = at;
	dialling_update(fleet, computer);
	due_by(fleet, computer, computer_due(fleet, computer));
	return 0;
}

/* Has it to be answered now? If not, *ret_until is when at last. */
static bool must_answer(const struct fleet *fleet, const struct computer *computer,
			const struct fleet_exchange *exchange, time_us now, time_us *ret_until)
{
	time_us until = exchange->heard + (span_us)exchange->hold_s * SECOND_US, next;
	const time_us others[] = { configuration_at(fleet, computer), key_next(fleet, computer),
				   computer->reply_wanted };

	if (exchange->failed || exchange->must_answer || exchange->withheld || exchange->send_full || exchange->clone ||
	    exchange->away > 0 || exchange->hold_s == 0 || computer->pace.periodic)
		return true;
	if (orders_waiting(fleet, computer, now, &next))
		return true;
	if (next < until)
		until = next;
	for (size_t i = 0; i < COUNT_OF(others); i++)
		until = others[i] < until ? others[i] : until;
	if (pace_differs(computer) && computer->pace_next < until)
		until = computer->pace_next;
	*ret_until = until;
	return until <= now;
}

bool fleet_answer(struct fleet *fleet, struct fleet_exchange *exchange, bool may_hold, void *parked, time_us *ret_until)
{
	struct computer *computer = computer_find(fleet, &exchange->computer);

	exchange_unpark(fleet, exchange);
	exchange->report = NULL;
	if (!may_hold || computer == NULL || must_answer(fleet, computer, exchange, fleet_now(fleet), ret_until))
		return true;
	displace(fleet, computer, exchange->session);
	exchange_drop_memory(exchange);
	park(computer, exchange, parked);
	dialling_update(fleet, computer);
	return false;
}

/* --- the reply --- */

static void *from_arena(void *allocator_data, size_t size)
{
	return exchange_memory(allocator_data, size);
}

static void to_arena(void *allocator_data, void *pointer)
{
	(void)allocator_data;
	(void)pointer; /* goes with the arena */
}

static const struct open_command *last_sendable(const struct computer *computer, time_us now)
{
	const struct open_command *last = NULL;

	for (const struct open_command *command = computer->commands; command != NULL; command = command->next) {
		if (open_command_sendable(command, now))
			last = command;
	}
	return last;
}

/* In the order of their issue: one that may have been lost on its way goes once more before those that came later, or
 * a resume would arrive before its pause. */
static int reply_commands(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange,
			  Muster__Wire__Reply *reply)
{
	ProtobufCAllocator allocator = { .alloc = from_arena, .free = to_arena, .allocator_data = exchange };
	const struct open_command *last = last_sendable(computer, fleet_now(fleet));
	time_us now = fleet_now(fleet);
	size_t bytes = 0;

	reply->commands = exchange_memory(exchange, WIRE_REPLY_COMMANDS_MAX * sizeof(struct Muster__Wire__Envelope *));
	if (reply->commands == NULL)
		return ERR_MEMORY;
	for (struct open_command *command = computer->commands; last != NULL; command = command->next) {
		Muster__Wire__Envelope *envelope;

		if (!open_command_unconfirmed(command))
			continue;
		if (reply->n_commands == WIRE_REPLY_COMMANDS_MAX || !key_signed(fleet, command, exchange->session) ||
		    bytes + command->envelope_size > REPLY_COMMANDS_BYTES)
			break;
		envelope = muster__wire__envelope__unpack(&allocator, command->envelope_size, command->envelope);
		if (envelope == NULL)
			return ERR_FORMAT;
		reply->commands[reply->n_commands++] = envelope;
		bytes += command->envelope_size;
		open_command_sent(fleet, computer, command, now);
		if (command == last)
			break;
	}
	return 0;
}

static int reply_ids(struct fleet_exchange *exchange, const struct uuid *ids, size_t count,
		     ProtobufCBinaryData **ret_fields)
{
	ProtobufCBinaryData *fields;

	*ret_fields = NULL;
	if (count == 0)
		return 0;
	fields = exchange_memory(exchange, count * sizeof(*fields));
	if (fields == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < count; i++)
		fields[i] = exchange_bytes(ids[i].bytes, UUID_BYTES);
	*ret_fields = fields;
	return 0;
}

static bool configuration_now(const struct fleet *fleet, struct computer *computer)
{
	time_us now = fleet_now(fleet);
	unsigned count = computer->configuration_sent_count;
	span_us wait = FLEET_RESEND_MIN_US << (count < 6 ? count : 6);

	if (!configuration_wanting(computer) || computer->configuration_next > now)
		return false;
	if (configuration_differs(computer) && computer->configuration_refused) {
		wait = FLEET_REFUSED_RETRY_US;
		computer->configuration_offered = now;
	} else if (wait > FLEET_RESEND_MAX_US) {
		wait = FLEET_RESEND_MAX_US;
	}
	computer->configuration_next = now + wait;
	if (count < 6)
		computer->configuration_sent_count++;
	group_count(computer);
	return true;
}

bool fleet_configuration_due(const struct fleet *fleet, const struct fleet_exchange *exchange)
{
	const struct computer *computer = computer_find(fleet, &exchange->computer);

	return computer != NULL && !exchange->failed && !exchange->clone && configuration_wanting(computer) &&
	       key_will_obey(fleet, computer) && computer->configuration_next <= fleet_now(fleet);
}

static int fill_reply(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange,
		      bool *ret_configuration)
{
	Muster__Wire__Reply *reply = exchange->reply;
	bool orders = false;
	int rc;

	reply->acknowledged_event = exchange->acknowledged;
	reply->highest_event = computer->stored;
	reply->send_full = exchange->away == 0 && (exchange->send_full || computer->need_full);
	reply->return_after_ms = (uint32_t)(exchange->away / MILLISECOND_US);
	reply->return_window_ms = (uint32_t)(fleet_return_window(fleet) / MILLISECOND_US);
	reply->n_acknowledged_commands = exchange->command_ack_count;
	reply->n_acknowledged_quarantine = exchange->item_ack_count;
	rc = reply_ids(exchange, exchange->command_acks, exchange->command_ack_count, &reply->acknowledged_commands);
	if (rc == 0)
		rc =
		    reply_ids(exchange, exchange->item_acks, exchange->item_ack_count, &reply->acknowledged_quarantine);
	if (rc == 0)
		rc = key_tell(fleet, computer, exchange, reply, &orders);
	if (rc == 0 && orders)
		rc = reply_commands(fleet, computer, exchange, reply);
	if (rc == 0)
		rc = pace_tell(computer, exchange, reply);
	if (rc == 0 && orders)
		*ret_configuration = configuration_now(fleet, computer);
	return rc;
}

/* What it recorded as this computer goes to this computer, first of all: once it is another one nobody could say what
 * of it is the other's as well, or was stored and never acknowledged. */
static void fill_reply_to_clone(const struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange)
{
	exchange->reply->highest_event = computer->stored;
	exchange->reply->acknowledged_event = exchange->acknowledged;
	exchange->reply->rekey = exchange->rekey && fleet_rekeys(fleet);
}

static bool is_news(const struct fleet *fleet, bool said, time_us *told)
{
	time_us now = fleet_now(fleet);

	if (!said || (*told != 0 && now - *told < FLEET_AGAIN_US))
		return false;
	*told = now;
	return true;
}

/* What one that is dialled would else be told in one reply after the other: that it is to have another identity, until
 * it has one; and what its numbers are, while it tells none of its events for causes of its own (it is about to have
 * another identity, or its disk does not take them). */
static bool tells_news(const struct fleet *fleet, struct computer *computer, const struct fleet_exchange *exchange)
{
	bool rekey = is_news(fleet, exchange->reply->rekey, &computer->rekey_told);

	return is_news(fleet, exchange->withheld, &computer->withheld_answered) || rekey;
}

static bool reply_brings(const Muster__Wire__Reply *reply)
{
	return reply->n_commands > 0 || reply->n_successions > 0 || reply->send_full ||
	       reply->n_acknowledged_commands > 0 || reply->n_acknowledged_quarantine > 0;
}

void fleet_reply_answers(const struct fleet_exchange *exchange, Muster__Wire__Reply *reply)
{
	reply->answers_session = exchange->session;
	reply->answers_sequence = exchange->sequence;
	reply->return_after_ms = 0; /* whoever is dialled need not come back */
}

bool fleet_more(const struct fleet_exchange *exchange)
{
	return exchange->confirms || exchange->must_answer;
}

int fleet_reply(struct fleet *fleet, struct fleet_exchange *exchange, Muster__Wire__Reply **ret_reply,
		bool *ret_configuration, struct err *err)
{
	struct computer *computer = computer_find(fleet, &exchange->computer);
	int rc = 0;

	exchange_unpark(fleet, exchange);
	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "the computer was removed");
	if (exchange->failed)
		return err_set(err, ERR_IO, "the report could not be stored");
	if (exchange->clone && exchange->silent && !fleet_rekeys(fleet))
		return err_set(err, ERR_DENIED, "another running agent has this identity (a cloned machine?)");
	exchange->reply = exchange_memory(exchange, sizeof(*exchange->reply));
	if (exchange->reply == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	muster__wire__reply__init(exchange->reply);
	exchange->reply->protocol = WIRE_PROTOCOL;
	*ret_configuration = false;
	if (exchange->clone)
		fill_reply_to_clone(fleet, computer, exchange);
	else
		rc = fill_reply(fleet, computer, exchange, ret_configuration);
	if (rc != 0)
		return err_set(err, rc, "the reply could not be made");
	if (computer->reply_wanted <= fleet_now(fleet))
		computer->reply_wanted = FLEET_NEVER;
	exchange->confirms |=
	    reply_brings(exchange->reply) || tells_news(fleet, computer, exchange) || *ret_configuration;
	dialling_update(fleet, computer);
	*ret_reply = exchange->reply;
	return 0;
}
