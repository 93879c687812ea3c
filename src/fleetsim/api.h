/* What the simulation asks of the manager's REST API: an enrolment token, and
 * one command for all agents. On the main thread's loop. */
#ifndef MUSTER_FLEETSIM_API_H
#define MUSTER_FLEETSIM_API_H

#include "base/env.h"
#include "fleetsim/figures.h"
#include "fleetsim/identities.h"
#include "fleetsim/options.h"
#include "net/loop.h"
#include "net/tls.h"
#include "trust/token.h"

struct api {
	struct loop *loop;
	struct tls_client *tls;
	const struct options *options;
	char headers[192]; /* holds the API token */
};

int api_init(struct api *api, struct loop *loop, const struct options *options, const char *ca_pem, struct err *err);
void api_done(struct api *api);

/* Makes a token good for that many enrolments within a day. Runs the loop until the answer. */
int api_enrolment_token(struct api *api, unsigned uses, char token[TOKEN_TEXT_BYTES], struct err *err);

/* Orders a heartbeat of all agents. */
struct fan_out;
struct fan_out *fan_out_start(struct api *api, const struct env *env, const struct identities *identities,
			      struct err *err);
void fan_out_free(struct fan_out *fan_out);

struct fan_out_state {
	bool ended;      /* answered */
	uint64_t issued; /* commands */
	time_us began;   /* wall clock: the request is sent */
	span_us ordered; /* until it was answered */
	struct err err;  /* code 0: none */
};
void fan_out_state(const struct fan_out *fan_out, struct fan_out_state *ret_state);

#endif
