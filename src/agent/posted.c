/* Bodies on their way (agent/posted.h). Input: whatever was sent to a listener, kept under the request's own limit. */
#include "agent/posted.h"

#include <stdlib.h>

struct posted {
	posted_whole *whole;
	void *owner;
	struct buf body;
};

static void posted_free(struct posted *posted)
{
	if (posted == NULL)
		return;
	buf_done(&posted->body);
	free(posted);
}

uint64_t posted_begin(struct http_request *request, uint64_t max_bytes, posted_whole *whole, void *owner)
{
	struct posted *posted = calloc(1, sizeof(*posted));

	if (posted == NULL) {
		http_problem(request, 503, "Out of memory", "Dial again later.");
		return 0;
	}
	posted->whole = whole;
	posted->owner = owner;
	buf_init(&posted->body, max_bytes);
	http_set_data(request, posted);
	return max_bytes;
}

void posted_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
	struct posted *posted = http_data(request);

	if (posted != NULL)
		buf_append(&posted->body, bytes, size);
}

void posted_complete(struct http_request *request)
{
	struct posted *posted = http_data(request);

	if (posted == NULL)
		return;
	http_set_data(request, NULL);
	posted->whole(posted->owner, request, &posted->body);
	posted_free(posted);
}

void posted_gone(struct http_request *request)
{
	struct posted *posted = http_data(request);

	http_set_data(request, NULL);
	posted_free(posted);
}
