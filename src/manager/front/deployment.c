/* What computers fetch that are being installed: the script, and packages. Whoever asks is nobody yet, and none of it
 * is a secret: the bound on downloads at once (front/downloads.h) is all that is asked of them. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/file_send.h"
#include "manager/front/package.h"

#define RETRY_S 10
#define TEXT    "text/plain; charset=utf-8"

extern const char install_script[]; /* of install.sh */

/* --- GET /agent/v1/install.sh --- */

void install_script_complete(struct agent_request *request)
{
	agent_reply(request, 200, TEXT, install_script, strlen(install_script));
	agent_request_free(request);
}

void install_script_gone(struct agent_request *request)
{
	agent_request_free(request);
}

/* --- GET /agent/v1/packages/PLATFORM: the archive --- */

static int open_archive(struct agent_request *request, int *ret_fd, uint64_t *ret_size, struct err *err)
{
	struct package package;
	int rc = package_find(request->front->data_directory, request->name, &package, ret_fd, err);

	if (rc == 0)
		*ret_size = package.bytes;
	return rc;
}

void package_complete(struct agent_request *request)
{
	struct download *place = downloads_begin(request->front->downloads, http_peer(request->http));

	if (place != NULL) {
		file_send(request, open_archive, "No package", place);
		return;
	}
	agent_refuse_status(request, 503, "Busy", "Many computers are being installed at once; come back shortly.",
			    RETRY_S);
	agent_request_free(request);
}

void package_gone(struct agent_request *request)
{
	file_send_gone(request);
}

/* --- GET /agent/v1/manifests/PLATFORM: what the archive is --- */

struct search {
	struct agent_request *request;
	struct package package;
	struct err err;
	int rc;
};

static void found(void *argument)
{
	struct search *search = argument;
	struct buf text;

	buf_init(&text, PACKAGE_MANIFEST_MAX_BYTES);
	if (search->rc == 0) {
		package_format(&search->package, &text);
		agent_reply(search->request, 200, TEXT, text.data, text.size);
	} else {
		agent_refuse(search->request, "No package", &search->err);
	}
	buf_done(&text);
	agent_request_free(search->request);
	free(search);
}

static void find(void *argument)
{
	struct search *search = argument;
	struct agent_request *request = search->request;

	search->rc = package_find(request->front->data_directory, request->name, &search->package, NULL, &search->err);
	if (loop_post(request->loop, found, search) != 0)
		LOG(LOG_ERROR, "package.lost", log_text("error", "no memory"));
}

void manifest_complete(struct agent_request *request)
{
	struct search *search = calloc(1, sizeof(*search));

	if (search != NULL) {
		search->request = request;
		request->state = search;
		if (front_work(request->front, find, search) == 0)
			return;
		free(search);
	}
	agent_refuse_status(request, 503, "Busy", "Too much at once; come back shortly.", RETRY_S);
	agent_request_free(request);
}

/* A search that is under way ends by itself. */
void manifest_gone(struct agent_request *request)
{
	if (request->state == NULL)
		agent_request_free(request);
}
