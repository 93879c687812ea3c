/* Connections that are turned: who was dialled makes the requests, who dialled serves them. Both sides run in one loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

struct scene {
	struct pki pki;
	struct loop *loop;
	struct loop_timer *tick;
	/* The agent: it is dialled, and would dial itself if it were allowed to. */
	struct tls_server *tls;
	struct http_server *server;
	uint16_t port;
	struct tls_client *own_tls;
	struct http_client *own;
	struct got own_got;
	unsigned taken;
	bool asks; /* as soon as it has its turn */
	/* The manager. */
	struct tls_client *dials_tls;
	struct http_client *dials;
	struct http_limits limits;
	struct http_server *turned;
	int status, adopted;
	unsigned served;
	bool certified;
	uint8_t peer[SHA256_BYTES];
	bool ignores; /* what it took */
};

/* --- the agent's side --- */

static uint64_t on_request(void *context, struct http_request *request)
{
	(void)context;
	(void)request;
	return 0;
}

static void own_answer(void *argument, const struct http_answer *answer)
{
	struct scene *scene = argument;

	got_answer(&scene->own_got, answer);
}

static void ask_own(struct scene *scene)
{
	struct err err = { 0 };

	assert_int_equal(
	    http_client_send(scene->own, "GET", "/own", NULL, NULL, 10 * SECOND_US, own_answer, scene, &err), 0);
}

static void taken(void *argument, struct bufferevent *connection)
{
	struct scene *scene = argument;

	scene->taken++;
	http_client_adopt(scene->own, connection);
	if (scene->asks)
		ask_own(scene);
}

static struct scene *the_scene;

static void on_complete(struct http_request *request)
{
	if (strcmp(http_path(request), "/turn") == 0)
		http_switch(request, "test", taken, the_scene);
	else
		http_reply(request, 200, NULL, NULL, "said", 4);
}

/* --- the manager's side --- */

static void serve(struct http_request *request)
{
	the_scene->served++;
	the_scene->certified = http_client_certificate(request, the_scene->peer);
	http_reply(request, 200, NULL, NULL, http_path(request), strlen(http_path(request)));
}

static void on_turned(void *argument, const struct http_answer *answer)
{
	struct scene *scene = argument;
	struct bufferevent *connection;
	struct err err = { 0 };

	scene->status = answer->status;
	if (scene->ignores)
		return;
	connection = http_client_take(scene->dials);
	assert_null(http_client_take(scene->dials));
	if (connection != NULL)
		scene->adopted = http_server_adopt(scene->turned, connection, "127.0.0.1:1", &err);
}

/* --- both --- */

static void on_tick(void *argument)
{
	struct scene *scene = argument;

	loop_stop(scene->loop);
}

/* Until it holds; fails after 20 s. */
static void go_until(struct scene *scene, bool (*holds)(const struct scene *scene))
{
	for (unsigned i = 0; i < 2000 && !holds(scene); i++) {
		loop_timer_set(scene->tick, 10 * MILLISECOND_US);
		loop_run(scene->loop);
	}
	assert_true(holds(scene));
}

static void scene_begin(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	the_scene = scene;
	pki_make(&scene->pki);
	scene->loop = loop_new(NULL);
	scene->tick = loop_timer_new(scene->loop, on_tick, scene);
	scene->limits = http_limits_default;
	scene->asks = true;
	scene->own_got.loop = scene->loop;
}

static struct tls_client *make_client_tls(const struct scene *scene)
{
	const struct tls_client_options options = { .ca_pem = scene->pki.ca.certificate,
						    .certificate_pem = scene->pki.client.certificate,
						    .key_pem = scene->pki.client.key,
						    .own_library = true };
	struct tls_client *tls = tls_client_new(&options, NULL);

	assert_non_null(tls);
	return tls;
}

static struct http_client *make_client(struct scene *scene, struct tls_client *tls)
{
	const struct http_client_options options = {
		.host = "127.0.0.1", .port = scene->port, .tls = tls, .reply_max_bytes = 1000
	};

	return http_client_new(scene->loop, &options, NULL);
}

static void scene_start(struct scene *scene)
{
	const struct http_handlers handlers = { .on_request = on_request, .on_complete = on_complete };
	const struct http_handlers serves = { .on_request = on_request, .on_complete = serve };
	struct tls_server *none = NULL;
	struct err err = { 0 };

	scene->tls = pem_server(&scene->pki.server, &scene->pki.ca);
	assert_non_null(scene->tls);
	scene->server = http_server_new(&scene->loop, &scene->tls, 1, NULL, &handlers, &err);
	assert_int_equal(http_server_listen(scene->server, "127.0.0.1:0", &scene->port, &err), 0);
	scene->turned = http_server_new(&scene->loop, &none, 1, &scene->limits, &serves, &err);
	assert_non_null(scene->turned);
	scene->own_tls = make_client_tls(scene);
	scene->own = make_client(scene, scene->own_tls);
	http_client_dials(scene->own, false);
	scene->dials_tls = make_client_tls(scene);
	scene->dials = make_client(scene, scene->dials_tls);
}

static void scene_end(struct scene *scene)
{
	http_client_free(scene->dials);
	http_client_free(scene->own);
	http_server_free(scene->turned);
	http_server_free(scene->server);
	tls_client_free(scene->dials_tls);
	tls_client_free(scene->own_tls);
	tls_server_free(scene->tls);
	loop_timer_free(scene->tick);
	loop_free(scene->loop);
	buf_done(&scene->own_got.body);
	pki_free(&scene->pki);
}

static void ask_turn(struct scene *scene)
{
	http_client_turn(scene->dials);
	assert_int_equal(http_client_send(scene->dials, "POST", "/turn", "Connection: Upgrade\r\nUpgrade: test\r\n",
					  NULL, 10 * SECOND_US, on_turned, scene, NULL),
			 0);
}

static uint64_t connections(struct http_server *server)
{
	struct http_server_counters counters;

	http_server_counters(server, &counters);
	return counters.connections;
}

static uint64_t accepted(struct http_server *server)
{
	struct http_server_counters counters;

	http_server_counters(server, &counters);
	return counters.accepted;
}

static bool own_answered(const struct scene *scene)
{
	return scene->own_got.count > 0;
}

static bool own_lost(const struct scene *scene)
{
	return scene->taken > 0 && !http_client_connected(scene->own);
}

static bool turn_answered(const struct scene *scene)
{
	return scene->status != 0;
}

/* --- tests --- */

static void test_roles_change(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	scene_start(&scene);
	ask_turn(&scene);
	/* Whoever dialled may go: what was taken stands alone. */
	go_until(&scene, turn_answered);
	http_client_free(scene.dials);
	scene.dials = NULL;
	go_until(&scene, own_answered);
	assert_int_equal(scene.status, 101);
	assert_int_equal(scene.own_got.status, 200);
	assert_int_equal(scene.own_got.body.size, 4);
	assert_memory_equal(scene.own_got.body.data, "/own", 4);
	assert_true(scene.certified); /* by the handshake of before */
	assert_memory_equal(scene.peer, scene.pki.server.fingerprint, SHA256_BYTES);
	/* Again over the same, which is the only connection there ever was; it counts where it is served. */
	scene.own_got.count = 0;
	buf_done(&scene.own_got.body);
	ask_own(&scene);
	go_until(&scene, own_answered);
	assert_int_equal(scene.own_got.status, 200);
	assert_int_equal(scene.served, 2);
	assert_int_equal(accepted(scene.server), 1);
	assert_int_equal(connections(scene.server), 0);
	assert_int_equal(connections(scene.turned), 1);
	scene_end(&scene);
}

static void test_nobody_dials(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	scene_start(&scene);
	ask_own(&scene);
	go_until(&scene, own_answered);
	assert_int_equal(scene.own_got.status, 0);
	assert_int_equal(scene.own_got.err.code, ERR_CLOSED);
	assert_int_equal(accepted(scene.server), 0);
	/* Unless it may. */
	scene.own_got.count = 0;
	http_client_dials(scene.own, true);
	ask_own(&scene);
	go_until(&scene, own_answered);
	assert_int_equal(scene.own_got.status, 200);
	assert_int_equal(accepted(scene.server), 1);
	scene_end(&scene);
}

static void test_too_many(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	scene.limits.connections = 0;
	scene_start(&scene);
	ask_turn(&scene);
	go_until(&scene, own_answered);
	assert_int_equal(scene.adopted, ERR_LIMIT);
	assert_int_equal(scene.own_got.status, 0);
	assert_int_equal(scene.own_got.err.code, ERR_CLOSED);
	assert_int_equal(accepted(scene.server), 1); /* that of the manager: it did not dial on its own */
	assert_int_equal(connections(scene.turned), 0);
	scene_end(&scene);
}

static void test_silence_ends_it(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	scene.limits.idle = 50 * MILLISECOND_US;
	scene.asks = false;
	scene_start(&scene);
	ask_turn(&scene);
	go_until(&scene, own_lost);
	assert_int_equal(scene.status, 101);
	assert_int_equal(scene.served, 0);
	assert_int_equal(connections(scene.turned), 0);
	scene_end(&scene);
}

static void test_not_taken(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	scene.ignores = true;
	scene.asks = false;
	scene_start(&scene);
	ask_turn(&scene);
	go_until(&scene, own_lost);
	assert_int_equal(scene.status, 101);
	scene_end(&scene);
}

static void test_unasked(void **state)
{
	struct scene scene;
	struct got got = { 0 };

	(void)state;
	scene_begin(&scene);
	scene.asks = false;
	scene_start(&scene);
	got.loop = scene.loop;
	assert_int_equal(
	    http_client_send(scene.dials, "POST", "/turn", NULL, NULL, 10 * SECOND_US, got_answer, &got, NULL), 0);
	go_until(&scene, own_lost);
	assert_int_equal(got.status, 0);
	assert_int_equal(got.err.code, ERR_FORMAT);
	buf_done(&got.body);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles_change), cmocka_unit_test(test_nobody_dials),
		cmocka_unit_test(test_too_many),     cmocka_unit_test(test_silence_ends_it),
		cmocka_unit_test(test_not_taken),    cmocka_unit_test(test_unasked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
