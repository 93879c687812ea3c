/* GET /agent/v1/quarantine/{id}: the sealed file back to the endpoint it came from. */
#include <openssl/crypto.h>

#include "manager/front/file_send.h"
#include "manager/front/quarantine_store.h"

static int open_item(struct agent_request *request, int *ret_fd, uint64_t *ret_size, struct err *err)
{
	struct front_quarantine_file file;
	struct quarantine_row row;
	int rc = quarantine_row_read(request->front, &request->item, &row, err);

	OPENSSL_cleanse(row.key, sizeof(row.key));
	if (rc == 0 && !uuid_equal(&row.computer, &request->computer))
		rc = err_set(err, ERR_NOT_FOUND, "there is no such item of this computer");
	if (rc == 0)
		rc = front_quarantine_open(request->front, &request->item, &file, err);
	if (rc != 0)
		return rc;
	OPENSSL_cleanse(file.key, sizeof(file.key));
	*ret_fd = file.fd;
	*ret_size = file.sealed_bytes;
	return 0;
}

void quarantine_send_complete(struct agent_request *request)
{
	file_send(request, open_item, "The file cannot be sent", NULL);
}

void quarantine_send_gone(struct agent_request *request)
{
	file_send_gone(request);
}
