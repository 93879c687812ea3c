/* Saying farewell (agent/local/farewell.h). What the manager answers is looked at for its status alone. */
#include "agent/local/farewell.h"

#include <string.h>

#include "agent/manager_url.h"
#include "net/client.h"

#define PATIENCE_US (15 * SECOND_US)

struct farewell {
	struct loop *loop;
	int status;
	struct err err;
};

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct farewell *farewell = argument;

	farewell->status = answer->status;
	if (answer->status == 0 && answer->err != NULL)
		farewell->err = *answer->err;
	loop_stop(farewell->loop);
}

static int outcome(const struct farewell *farewell, struct err *err)
{
	int status = farewell->status;

	/* 403 and 404: it does not know this identity any more. */
	if (status == 200 || status == 204 || status == 403 || status == 404)
		return 0;
	if (status != 0)
		return err_set(err, ERR_REFUSED, "it answered with status %d", status);
	if (farewell->err.code == 0)
		return err_set(err, ERR_CLOSED, "it did not answer");
	return err_set(err, farewell->err.code, "%s", farewell->err.text);
}

int farewell_say(const struct agent_identity *identity, struct err *err)
{
	static const char said[] = "{\"uninstalled\":true}";
	const struct http_body body = { .bytes = said, .fd = -1, .size = sizeof(said) - 1 };
	const struct tls_client_options tls_options = { .ca_pem = buf_text(&identity->authority_pem),
							.certificate_pem = buf_text(&identity->certificate_pem),
							.key_pem = buf_text(&identity->key_pem),
							.any_host_name = true,
							.agent = true };
	struct http_client_options options = { .connect_timeout = PATIENCE_US, .reply_max_bytes = (size_t)64 * KIB };
	struct farewell farewell = { .status = 0 };
	struct http_client *client = NULL;
	struct manager_url url;
	int rc = manager_url_parse(identity->manager, &url, err);

	if (rc != 0)
		return rc;
	options.host = url.host;
	options.port = url.port;
	farewell.loop = loop_new(err);
	options.tls = farewell.loop != NULL ? tls_client_new(&tls_options, err) : NULL;
	client = options.tls != NULL ? http_client_new(farewell.loop, &options, err) : NULL;
	rc = client != NULL ? http_client_send(client, "POST", "/agent/v1/leave", "Content-Type: application/json\r\n",
					       &body, PATIENCE_US, on_answer, &farewell, err)
			    : err->code;
	if (rc == 0) {
		loop_run(farewell.loop);
		rc = outcome(&farewell, err);
	}
	http_client_free(client);
	tls_client_free(options.tls);
	loop_free(farewell.loop);
	return rc;
}
