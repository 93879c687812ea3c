/* Quarantined files at a real manager: announced, sent in pieces, gone on with, verified, sent back, deleted; and what
 * does not fit. */
#include <fcntl.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "os/env.h"
#include "protect/sealed.h"

#define PLAIN_BYTES ((size_t)700 * 1000)

static struct fixture fixture;
static struct agent agent;

static int start(void **state)
{
	(void)state;
	fixture_start(&fixture, NULL);
	agent_enrolled(&agent, &fixture, "quarantine");
	agent_hello(&agent);
	return 0;
}

static int end(void **state)
{
	(void)state;
	agent_done(&agent);
	fixture_finish(&fixture);
	return 0;
}

/* --- a file as the agent's vault holds it --- */

struct item {
	struct uuid id;
	uint8_t sha256[SHA256_BYTES], key[SEALED_KEY_BYTES];
	size_t size;
	struct buf sealed;
};

static void seal_chunks(struct sealed_writer *writer, const uint8_t *plain, size_t size, struct buf *out)
{
	size_t done = 0;

	do {
		size_t piece = size - done < SEALED_CHUNK_BYTES ? size - done : SEALED_CHUNK_BYTES;
		uint8_t *room = buf_room(out, piece + SEALED_TAG_BYTES);

		assert_int_equal(sealed_writer_chunk(writer, plain + done, piece, done + piece == size, room, NULL), 0);
		buf_grow(out, piece + SEALED_TAG_BYTES);
		done += piece;
	} while (done < size);
}

static void item_make(struct item *item, size_t size)
{
	uint8_t master[SEALED_KEY_BYTES], wrapped[SEALED_WRAPPED_BYTES], *plain = malloc(size);
	struct sealed_metadata metadata = { .mode = 0644 };
	struct sealed_writer *writer;
	struct buf chunks;

	*item = (struct item){ .size = size, .id = env_uuid(env_system()) };
	RAND_bytes(plain, (int)size);
	RAND_bytes(master, sizeof(master));
	SHA256(plain, size, item->sha256);
	metadata.id = item->id;
	metadata.path = (struct bytes){ (const uint8_t *)"/tmp/bad", 8 };
	metadata.detection = (struct bytes){ (const uint8_t *)"Test", 4 };
	buf_init(&chunks, 4 * PLAIN_BYTES);
	buf_init(&item->sealed, 4 * PLAIN_BYTES);
	assert_int_equal(sealed_key_make(master, &item->id, item->key, wrapped, NULL), 0);
	assert_int_equal(sealed_writer_new(&metadata, item->key, wrapped, &writer, NULL), 0);
	seal_chunks(writer, plain, size, &chunks);
	assert_int_equal(sealed_writer_header(writer, &item->sealed, NULL, NULL), 0);
	buf_append(&item->sealed, chunks.data, chunks.size);
	sealed_writer_free(writer);
	buf_done(&chunks);
	free(plain);
}

static void item_done(struct item *item)
{
	buf_done(&item->sealed);
}

/* --- what the agent says --- */

/* In a report; true if the manager asks for the file. */
static bool report_item(const struct item *item)
{
	Muster__Wire__QuarantineItem message = MUSTER__WIRE__QUARANTINE_ITEM__INIT;
	Muster__Wire__QuarantineItem *list[] = { &message };
	Muster__Wire__Report report = agent_report(&agent);
	Muster__Wire__Reply *reply;
	struct arena *arena;
	bool wanted = false;

	message.id = exchange_bytes(item->id.bytes, UUID_BYTES);
	message.path = exchange_bytes("/tmp/bad", 8);
	message.sha256 = exchange_bytes(item->sha256, SHA256_BYTES);
	message.size = item->size;
	message.detection = (char *)(uintptr_t) "Test";
	message.quarantined_us = env_wall(env_system());
	report.quarantine = list;
	report.n_quarantine = 1;
	assert_int_equal(agent_exchange(&agent, &report, &reply, &arena), 200);
	for (size_t i = 0; i < reply->n_upload_quarantine; i++)
		wanted |= memcmp(reply->upload_quarantine[i].data, item->id.bytes, UUID_BYTES) == 0;
	arena_free(arena);
	return wanted;
}

static long send_call(const struct item *item, const char *method, const char *header, const void *body, size_t size,
		      struct answer *answer)
{
	char id[UUID_TEXT_BYTES], path[96];
	const struct call call = {
		.method = method,
		.path = path,
		.header = header,
		.body = body,
		.size = size,
		.certificate = agent.certificate,
		.key = buf_text(&agent.key),
	};

	uuid_format(&item->id, id);
	snprintf(path, sizeof(path), "/agent/v1/quarantine/%s", id);
	fixture_call(&fixture, &call, answer);
	return answer->status;
}

static int64_t offset_of(const struct answer *answer)
{
	json_t *json = json_loadb(buf_text(&answer->body), answer->body.size, 0, NULL);
	const json_t *offset = json_object_get(json, "offset");
	int64_t value = json_is_integer(offset) ? json_integer_value(offset) : -1;

	json_decref(json);
	return value;
}

static long announce(const struct item *item, int64_t *ret_offset)
{
	char key[2 * SEALED_KEY_BYTES + 1], sha256[SHA256_TEXT_BYTES], body[512];
	struct answer answer;
	long status;

	hex_format(item->key, SEALED_KEY_BYTES, key);
	hex_format(item->sha256, SHA256_BYTES, sha256);
	snprintf(body, sizeof(body),
		 "{\"key\":\"%s\",\"sha256\":\"%s\",\"size\":%zu,\"sealed_size\":%zu,\"path\":\"/tmp/bad\"}", key,
		 sha256, item->size, item->sealed.size);
	status = send_call(item, "POST", NULL, body, strlen(body), &answer);
	*ret_offset = offset_of(&answer);
	answer_done(&answer);
	return status;
}

static long send_piece(const struct item *item, size_t first, size_t size, int64_t *ret_offset)
{
	struct answer answer;
	char header[128];
	long status;

	snprintf(header, sizeof(header), "Content-Range: bytes %zu-%zu/%zu", first, first + size - 1,
		 item->sealed.size);
	status = send_call(item, "PUT", header, item->sealed.data + first, size, &answer);
	*ret_offset = offset_of(&answer);
	answer_done(&answer);
	return status;
}

/* --- tests --- */

static void a_file_arrives_in_pieces_and_comes_back(void **state)
{
	struct item item;
	struct answer answer;
	int64_t offset;

	(void)state;
	item_make(&item, PLAIN_BYTES);
	assert_true(report_item(&item));
	assert_int_equal(announce(&item, &offset), 201);
	assert_int_equal(send_piece(&item, 0, 300000, &offset), 202);
	assert_int_equal(offset, 300000);
	assert_int_equal(send_piece(&item, 100, 1000, &offset), 409);
	assert_int_equal(offset, 300000);
	assert_int_equal(announce(&item, &offset), 200); /* the agent was started again */
	assert_int_equal(offset, 300000);
	assert_int_equal(send_piece(&item, 300000, item.sealed.size - 300000, &offset), 200);
	assert_int_equal(announce(&item, &offset), 200);
	assert_int_equal(offset, item.sealed.size);
	assert_false(report_item(&item)); /* it is here */
	assert_int_equal(send_call(&item, "GET", NULL, NULL, 0, &answer), 200);
	assert_int_equal(answer.body.size, item.sealed.size);
	assert_memory_equal(answer.body.data, item.sealed.data, item.sealed.size);
	answer_done(&answer);
	item_done(&item);
}

static void an_upload_goes_on_after_front_died(void **state)
{
	unsigned before = fixture_log_count(&fixture, "\"front.started\"");
	struct item item;
	int64_t offset;

	(void)state;
	item_make(&item, PLAIN_BYTES);
	assert_true(report_item(&item));
	assert_int_equal(announce(&item, &offset), 201);
	assert_int_equal(send_piece(&item, 0, 200000, &offset), 202);
	kill(fixture_role(&fixture, "front"), SIGKILL);
	fixture_log_wait(&fixture, "\"front.started\"", before + 1);
	assert_int_equal(send_piece(&item, 200000, 1000, &offset), 503); /* it must be announced again */
	assert_int_equal(announce(&item, &offset), 200);
	assert_int_equal(offset, 200000);
	assert_int_equal(send_piece(&item, 200000, item.sealed.size - 200000, &offset), 200);
	item_done(&item);
}

/* All bytes are on disk, but front died before it checked them and said so: no agent would send any more. */
static void an_upload_that_was_whole_when_front_died_is_finished(void **state)
{
	unsigned before = fixture_log_count(&fixture, "\"front.started\"");
	char id[UUID_TEXT_BYTES], path[256];
	struct item item;
	int64_t offset;
	size_t left;
	int fd;

	(void)state;
	item_make(&item, PLAIN_BYTES);
	assert_true(report_item(&item));
	assert_int_equal(announce(&item, &offset), 201);
	assert_int_equal(send_piece(&item, 0, 200000, &offset), 202);
	kill(fixture_role(&fixture, "front"), SIGKILL);
	fixture_log_wait(&fixture, "\"front.started\"", before + 1);
	uuid_format(&item.id, id);
	snprintf(path, sizeof(path), "%s/front/quarantine/incoming/%s", fixture.data, id);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	left = item.sealed.size - 200000;
	assert_int_equal(write(fd, item.sealed.data + 200000, left), left);
	close(fd);
	assert_int_equal(announce(&item, &offset), 200);
	assert_int_equal(offset, item.sealed.size);
	assert_false(report_item(&item)); /* it is here */
	item_done(&item);
}

static void a_file_that_is_not_what_was_announced_is_refused(void **state)
{
	struct item item;
	int64_t offset;

	(void)state;
	item_make(&item, 1000);
	assert_true(report_item(&item));
	assert_int_equal(announce(&item, &offset), 201);
	item.sealed.data[item.sealed.size - 1] ^= 1;
	assert_int_equal(send_piece(&item, 0, item.sealed.size, &offset), 422);
	item.sealed.data[item.sealed.size - 1] ^= 1;
	assert_int_equal(announce(&item, &offset), 201); /* from the beginning */
	assert_int_equal(send_piece(&item, 0, item.sealed.size, &offset), 200);
	item_done(&item);
}

static void nobody_elses_file_is_taken_or_given(void **state)
{
	struct agent other, mine;
	struct item item;
	struct answer answer;
	int64_t offset;

	(void)state;
	item_make(&item, 1000);
	assert_true(report_item(&item));
	agent_enrolled(&other, &fixture, "curious");
	mine = agent;
	agent = other;
	assert_int_equal(announce(&item, &offset), 404);
	assert_int_equal(send_call(&item, "GET", NULL, NULL, 0, &answer), 404);
	answer_done(&answer);
	agent = mine;
	assert_int_equal(announce(&item, &offset), 201);
	agent_done(&other);
	item_done(&item);
}

/* Room is promised to an upload from its announcement on: not for ever, when no more comes of it. */
static void an_upload_that_nobody_goes_on_with_is_given_up(void **state)
{
	unsigned before = fixture_log_count(&fixture, "\"front.started\"");
	const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = time(NULL) - 8 * 24 * 3600 } };
	char id[UUID_TEXT_BYTES], path[256];
	struct item item, fresh;
	int64_t offset;

	(void)state;
	item_make(&item, PLAIN_BYTES);
	item_make(&fresh, PLAIN_BYTES);
	assert_true(report_item(&item));
	assert_true(report_item(&fresh));
	assert_int_equal(announce(&item, &offset), 201);
	assert_int_equal(send_piece(&item, 0, 200000, &offset), 202);
	assert_int_equal(announce(&fresh, &offset), 201);
	assert_int_equal(send_piece(&fresh, 0, 100000, &offset), 202);
	uuid_format(&item.id, id);
	snprintf(path, sizeof(path), "%s/front/quarantine/incoming/%s", fixture.data, id);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	kill(fixture_role(&fixture, "front"), SIGKILL);
	fixture_log_wait(&fixture, "\"front.started\"", before + 1);
	assert_int_equal(fixture_log_count(&fixture, "\"quarantine.upload_given_up\""), 1);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(announce(&fresh, &offset), 200);
	assert_int_equal(offset, 100000);
	assert_int_equal(announce(&item, &offset), 201); /* from the beginning */
	assert_int_equal(send_piece(&item, 0, item.sealed.size, &offset), 200);
	item_done(&item);
	item_done(&fresh);
}

static void what_is_too_large_stays_away(void **state)
{
	struct item item;
	int64_t offset;

	(void)state;
	json_decref(fixture_api(&fixture, "PATCH", "/api/v1/settings", "{\"quarantine.max_file_size\":\"1KB\"}", 200));
	item_make(&item, 2000);
	assert_false(report_item(&item));
	assert_int_equal(announce(&item, &offset), 413);
	json_decref(fixture_api(&fixture, "PATCH", "/api/v1/settings", "{\"quarantine.max_file_size\":\"5MB\"}", 200));
	item_done(&item);
}

static void a_full_store_says_so(void **state)
{
	struct item item;
	int64_t offset;

	(void)state;
	item_make(&item, PLAIN_BYTES);
	assert_true(report_item(&item));
	json_decref(fixture_api(&fixture, "PATCH", "/api/v1/settings", "{\"quarantine.capacity\":\"1MB\"}", 200));
	assert_int_equal(announce(&item, &offset), 507);
	json_decref(fixture_api(&fixture, "PATCH", "/api/v1/settings", "{\"quarantine.capacity\":\"10GB\"}", 200));
	while (fixture_count(&fixture, "/api/v1/events?type=1300") == 0)
		; /* it is queued, and comes */
	assert_int_equal(announce(&item, &offset), 201);
	item_done(&item);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_arrives_in_pieces_and_comes_back),
		cmocka_unit_test(an_upload_goes_on_after_front_died),
		cmocka_unit_test(an_upload_that_was_whole_when_front_died_is_finished),
		cmocka_unit_test(a_file_that_is_not_what_was_announced_is_refused),
		cmocka_unit_test(nobody_elses_file_is_taken_or_given),
		cmocka_unit_test(an_upload_that_nobody_goes_on_with_is_given_up),
		cmocka_unit_test(what_is_too_large_stays_away),
		cmocka_unit_test(a_full_store_says_so),
	};

	return cmocka_run_group_tests_name("integration/manager/quarantine", tests, start, end);
}
