/* Asking a manager for a proof (agent/proof_asking.h). The answer is of whoever is at the other end. */
#include "agent/proof_asking.h"

#include "agent/problem.h"
#include "net/tls_channel.h"

#define PROOF_PATH     "/agent/v1/proof"
#define ANSWER_WAIT_US (30 * SECOND_US)

static int take_answer(struct proof_asking *asking, const struct http_answer *answer, struct err *err)
{
	uint8_t channel[PROOF_CHANNEL_BYTES];
	struct ssl_st *ssl = http_client_tls(asking->client);
	int rc;

	if (answer->status == 404)
		return err_set(err, ERR_VERSION, "what answers is no Muster manager, or one that cannot prove its key");
	if (answer->status != 200)
		return problem_error("the manager did not prove its key", answer->status, answer->content_type,
				     answer->body, answer->size, err);
	if (ssl == NULL)
		return err_set(err, ERR_CLOSED, "the manager closed the connection over which it proved its key");
	rc = tls_channel_export(ssl, PROOF_CHANNEL_LABEL, channel, sizeof(channel), err);
	if (rc == 0)
		rc = manager_proof_check(answer->body, answer->size, PROOF_AGENT_DIALLED, channel, asking->accepted,
					 &asking->proof, err);
	if (rc == 0)
		http_client_dials(asking->client, false);
	return rc;
}

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct proof_asking *asking = argument;
	struct err err = { 0 };
	int rc;

	if (answer->status == 0) {
		err = *answer->err;
		rc = err.code;
	} else {
		rc = take_answer(asking, answer, &err);
	}
	asking->done(asking->argument, rc, &err);
}

int proof_asking_begin(struct proof_asking *asking, struct err *err)
{
	return http_client_send(asking->client, "POST", PROOF_PATH, NULL, NULL, ANSWER_WAIT_US, on_answer, asking, err);
}
