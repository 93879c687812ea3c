/* POST /agent/v1/proof: to an agent that accepts this manager alone, that we have the server authentication key
 * (wire/proof.h). Whoever asks is nobody: a proof is good for the connection that it was asked over, and for nothing
 * else. */
#include <stdlib.h>

#include "base/log.h"
#include "manager/front/agent_http.h"
#include "manager/front/server_keys.h"
#include "net/tls_channel.h"

#define PROOFS_MAX   16 /* at once: each is a signature of keys */
#define RETRY_BUSY_S 2

struct prove {
	struct agent_request *request;
	uint8_t channel[PROOF_CHANNEL_BYTES];
	struct buf proof;
	struct err err;
	int rc;
};

static void answered(void *argument)
{
	struct prove *prove = argument;

	if (prove->rc == 0)
		agent_reply(prove->request, 200, AGENT_PROTOBUF, prove->proof.data, prove->proof.size);
	else
		agent_refuse(prove->request, "Not proven", &prove->err);
	prove->request->front->numbers.proofs--;
	buf_done(&prove->proof);
	agent_request_free(prove->request);
	free(prove);
}

static void work(void *argument)
{
	struct prove *prove = argument;

	prove->rc =
	    server_keys_prove(prove->request->front, PROOF_AGENT_DIALLED, prove->channel, &prove->proof, &prove->err);
	if (loop_post(prove->request->loop, answered, prove) != 0)
		LOG(LOG_ERROR, "prove.lost", log_text("error", "no memory"));
}

/* On the loop's thread: the connection is looked at here. */
static int begin(struct agent_request *request, struct err *err)
{
	struct prove *prove = calloc(1, sizeof(*prove));
	int rc = prove != NULL ? 0 : err_set(err, ERR_BUSY, "out of memory");

	if (rc == 0)
		rc = tls_channel_export(http_tls(request->http), PROOF_CHANNEL_LABEL, prove->channel,
					sizeof(prove->channel), err);
	if (rc == 0) {
		prove->request = request;
		buf_init(&prove->proof, WIRE_MANAGER_PROOF_MAX_BYTES);
		request->state = prove;
		if (front_work(request->front, work, prove) == 0)
			return 0;
		request->state = NULL;
		rc = err_set(err, ERR_BUSY, "too much to do");
	}
	free(prove);
	return rc;
}

void prove_complete(struct agent_request *request)
{
	struct front *front = request->front;
	struct err err = { 0 };

	if (front->numbers.proofs++ < PROOFS_MAX) {
		if (begin(request, &err) == 0)
			return;
		agent_refuse(request, "Not proven", &err);
	} else {
		agent_refuse_status(request, 503, "Busy", "Many agents ask for a proof at once; come back shortly.",
				    RETRY_BUSY_S);
	}
	front->numbers.proofs--;
	agent_request_free(request);
}

void prove_gone(struct agent_request *request)
{
	if (request->state == NULL)
		agent_request_free(request);
}
