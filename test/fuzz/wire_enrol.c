/* The messages of enrolment and renewal: the request to enrol is the one message that strangers may send. */
#include <stdlib.h>

#include "wire/exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Muster__Wire__EnrolRequest *request;
	Muster__Wire__EnrolReply *reply;
	Muster__Wire__RenewRequest *renew;
	Muster__Wire__RenewReply *renewed;
	struct arena *arena;

	if (exchange_enrol_request_decode(data, size, &request, &arena, NULL) == 0) {
		if (request->attempt.len != UUID_BYTES || request->request.len == 0)
			abort();
		arena_free(arena);
	}
	if (exchange_enrol_reply_decode(data, size, &reply, &arena, NULL) == 0) {
		if (reply->server_authentication.len != 32)
			abort();
		arena_free(arena);
	}
	if (exchange_renew_request_decode(data, size, &renew, &arena, NULL) == 0) {
		if (renew->request.len == 0)
			abort();
		arena_free(arena);
	}
	if (exchange_renew_reply_decode(data, size, &renewed, &arena, NULL) == 0) {
		if (renewed->certificate.len == 0 || renewed->authority.len == 0)
			abort();
		arena_free(arena);
	}
	return 0;
}
