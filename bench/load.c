/* Requests of one kind to a TLS server, by clients with the certificates of
 * simulated agents: the same load for Muster's manager and for nginx.
 *
 *   muster-bench-load MODE HOST PORT CA-FILE IDENTITIES-FILE CLIENTS SECONDS PATH BODY-BYTES
 *
 *   requests  each client asks again as soon as it was answered, on a kept connection
 *   full      each request on a connection of its own, with a full handshake
 *   resumed   each on a connection of its own, resumed from the one before
 *   idle      each client asks once and keeps its connection; "ready" is printed
 *
 * Prints {"done":…,"failed":…,"seconds":…,"resumed":…} at the end.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "fleetsim/identities.h"
#include "net/client.h"
#include "os/env.h"
#include "os/files.h"

#define FIRST_ADDRESS ((127u << 24) + (48u << 16)) /* 127.48.0.0 */
#define OPENING_MAX   200                          /* idle: connections on their way at a time */

enum mode { REQUESTS, FULL, RESUMED, IDLE, MODES };
static const char *const mode_names[MODES] = { "requests", "full", "resumed", "idle" };

struct load;

struct one {
	struct load *load;
	size_t number;
	struct tls_client *tls;
	struct http_client *client;
};

struct load {
	enum mode mode;
	const char *host, *path;
	uint16_t port;
	struct identities identities;
	struct tls_client *base;
	struct loop *loop;
	struct one *ones;
	size_t count, opened, under_way;
	uint8_t *body;
	size_t body_size;
	uint64_t done, failed, resumed;
	time_us began, ended;
	bool over;
	struct err err; /* the first failure */
};

static void failed(struct load *load, const struct err *err)
{
	if (load->failed++ == 0)
		load->err = *err;
}

static struct http_client *new_client(struct one *one)
{
	char address[16];
	uint32_t number = FIRST_ADDRESS + 1 + (uint32_t)one->number;
	const struct http_client_options options = { .host = one->load->host,
						     .port = one->load->port,
						     .tls = one->tls,
						     .source_address = address,
						     .reply_max_bytes = 64 * KIB };

	snprintf(address, sizeof(address), "%u.%u.%u.%u", number >> 24, number >> 16 & 255, number >> 8 & 255,
		 number & 255);
	return http_client_new(one->load->loop, &options, NULL);
}

/* A session of its own for each connection that is not to be resumed. */
static bool renew_tls(struct one *one)
{
	struct load *load = one->load;
	const struct identity *identity = &load->identities.slots[one->number % load->identities.count];
	struct tls_client *fresh = tls_client_beside(load->base, identity->certificate_pem, &load->err);

	if (fresh == NULL)
		return false;
	http_client_free(one->client);
	tls_client_free(one->tls);
	one->tls = fresh;
	one->client = new_client(one);
	return one->client != NULL;
}

static void send_one(struct one *one);

static void open_more(struct load *load)
{
	while (load->opened < load->count && load->under_way < OPENING_MAX)
		send_one(&load->ones[load->opened++]);
	if (load->under_way == 0 && load->opened == load->count) {
		printf("ready\n");
		fflush(stdout);
	}
}

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct one *one = argument;
	struct load *load = one->load;

	load->under_way--;
	if (answer->status == 0)
		failed(load, answer->err);
	else
		load->done++;
	load->resumed += answer->resumed;
	if (load->over)
		return;
	if (load->mode == IDLE)
		open_more(load);
	else
		send_one(one);
}

/* Clients are replaced from the loop, never inside their own answer. */
static void send_now(void *argument)
{
	struct one *one = argument;
	struct load *load = one->load;
	const struct http_body body = { .bytes = load->body, .fd = -1, .size = load->body_size };
	struct err err = { 0 };

	if (load->mode == FULL && !renew_tls(one))
		return;
	if (load->mode == RESUMED)
		http_client_disconnect(one->client);
	if (http_client_send(one->client, load->body_size > 0 ? "POST" : "GET", load->path,
			     "Content-Type: application/x-protobuf\r\n", load->body_size > 0 ? &body : NULL,
			     30 * SECOND_US, on_answer, one, &err) != 0)
		failed(load, &err);
	else
		load->under_way++;
}

static void send_one(struct one *one)
{
	if (one->load->mode == FULL)
		loop_post(one->load->loop, send_now, one);
	else
		send_now(one);
}

static void stop(void *argument)
{
	struct load *load = argument;

	load->over = true;
	load->ended = env_monotonic(env_system());
	loop_stop(load->loop);
}

static int set_up(struct load *load, const char *ca_file, const char *identities_file, struct err *err)
{
	struct tls_client_options options = { .any_host_name = true };
	struct buf ca;
	int rc;

	buf_init(&ca, 64 * KIB);
	rc = files_read(AT_FDCWD, ca_file, 60 * KIB, &ca, err);
	if (rc == 0)
		rc = identities_open(&load->identities, identities_file, 1, err);
	if (rc == 0 && load->identities.slots[0].certificate_pem == NULL)
		rc = err_set(err, ERR_NOT_FOUND, "%s holds no certificates", identities_file);
	options.ca_pem = buf_text(&ca);
	options.key_pem = buf_text(&load->identities.key_pem);
	if (rc == 0 && (load->base = tls_client_new(&options, err)) == NULL)
		rc = err->code;
	buf_done(&ca);
	if (rc == 0 && (load->loop = loop_new(err)) == NULL)
		rc = err->code;
	return rc;
}

static int make_clients(struct load *load, struct err *err)
{
	load->ones = calloc(load->count, sizeof(*load->ones));
	for (size_t i = 0; load->ones != NULL && i < load->count; i++) {
		load->ones[i] = (struct one){ .load = load, .number = i };
		if (!renew_tls(&load->ones[i]))
			return err_set(err, ERR_MEMORY, "no client: %s", load->err.text);
	}
	return load->ones != NULL ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static int parse(struct load *load, char **argv, span_us *ret_duration, struct err *err)
{
	uint64_t port, clients, seconds, bytes;
	int rc = number_parse(argv[3], 1, 65535, &port, err);

	while (load->mode < MODES && strcmp(mode_names[load->mode], argv[1]) != 0)
		load->mode++;
	if (load->mode == MODES)
		return err_set(err, ERR_USAGE, "'%s' is no mode", argv[1]);
	if (rc == 0)
		rc = number_parse(argv[6], 1, 100000, &clients, err);
	if (rc == 0)
		rc = number_parse(argv[7], 1, 600, &seconds, err);
	if (rc == 0)
		rc = number_parse(argv[9], 0, 1000000, &bytes, err);
	if (rc != 0)
		return rc;
	load->host = argv[2];
	load->port = (uint16_t)port;
	load->count = (size_t)clients;
	load->path = argv[8];
	load->body_size = (size_t)bytes;
	load->body = calloc(1, load->body_size + 1);
	*ret_duration = (span_us)seconds * SECOND_US;
	return load->body != NULL ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static void run(struct load *load, span_us duration)
{
	struct loop_timer *timer = loop_timer_new(load->loop, stop, load);

	load->began = env_monotonic(env_system());
	loop_timer_set(timer, duration);
	if (load->mode == IDLE)
		open_more(load);
	for (size_t i = 0; load->mode != IDLE && i < load->count; i++)
		send_one(&load->ones[i]);
	loop_run(load->loop);
	loop_timer_free(timer);
	printf("{\"done\":%llu,\"failed\":%llu,\"resumed\":%llu,\"seconds\":%.3f}\n", (unsigned long long)load->done,
	       (unsigned long long)load->failed, (unsigned long long)load->resumed,
	       (double)(load->ended - load->began) / (double)SECOND_US);
	if (load->failed > 0)
		fprintf(stderr, "muster-bench-load: %s\n", load->err.text);
}

int main(int argc, char **argv)
{
	static struct load load;
	struct rlimit files;
	struct err err = { 0 };
	span_us duration = 0;
	int rc;

	if (argc != 10) {
		fprintf(stderr, "usage: muster-bench-load requests|full|resumed|idle HOST PORT CA-FILE IDENTITIES-FILE "
				"CLIENTS SECONDS PATH BODY-BYTES\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	rc = parse(&load, argv, &duration, &err);
	if (rc == 0)
		rc = set_up(&load, argv[4], argv[5], &err);
	if (rc == 0)
		rc = make_clients(&load, &err);
	if (rc != 0) {
		fprintf(stderr, "muster-bench-load: %s\n", err.text);
		return 1;
	}
	run(&load, duration);
	return load.done > 0 ? 0 : 1;
}
