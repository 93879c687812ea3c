/* GET /quarantine/{id}/file: the item unsealed into a zip with a password, as a
 * stream: neither the file nor the zip is ever whole in memory or on disk.
 *
 * The sealed file came from an agent and is untrusted: every chunk is
 * authenticated before its bytes are passed on. A fault in the middle cuts the
 * zip short, which every program that opens zips reports.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "manager/api/call_state.h"
#include "manager/api/changes.h"
#include "manager/api/handlers.h"
#include "protect/sealed.h"

#define DOWNLOADS_MAX    2 /* each holds one of the few workers */
#define PASSWORD_DEFAULT "infected"
#define NAME_MAX_BYTES   255
#define HEADER_MAX_BYTES (SEALED_PREFIX_BYTES + SEALED_METADATA_MAX_BYTES + 4096)

struct download {
	struct api_call *call;
	struct front_quarantine_file file;
	struct sealed_reader *reader;
	struct archive *archive;
	struct err *err;
	bool begun; /* the answer's head is out */
	char name[NAME_MAX_BYTES + 1];
	uint8_t sealed[SEALED_CHUNK_BYTES + SEALED_TAG_BYTES];
	uint8_t plain[SEALED_CHUNK_BYTES];
};

/* --- the sealed file --- */

static int read_at(const struct download *download, uint64_t offset, uint8_t *out, size_t size, struct err *err)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = pread(download->file.fd, out + done, size - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "reading the sealed file");
		if (got == 0)
			return err_set(err, ERR_FORMAT, "The sealed file is cut short.");
		done += (size_t)got;
	}
	return 0;
}

static int open_reader(struct download *download, struct err *err)
{
	uint8_t prefix[SEALED_PREFIX_BYTES];
	struct sealed_prefix found;
	uint8_t *header;
	int rc = read_at(download, 0, prefix, sizeof(prefix), err);

	if (rc == 0)
		rc = sealed_prefix_read(prefix, sizeof(prefix), &found, err);
	if (rc != 0)
		return rc;
	if (found.header_bytes > HEADER_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "The sealed file's header is too large.");
	header = malloc(found.header_bytes);
	if (header == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	rc = read_at(download, 0, header, found.header_bytes, err);
	if (rc == 0)
		rc = sealed_reader_new(header, found.header_bytes, download->file.key, &download->reader, err);
	free(header);
	return rc;
}

/* The last part of the path, shown safely; never a name that means a directory. */
static void set_name(struct download *download)
{
	const struct bytes path = sealed_reader_metadata(download->reader)->path;
	struct buf name;
	size_t begin = path.size;

	while (begin > 0 && path.data[begin - 1] != '/')
		begin--;
	buf_init(&name, NAME_MAX_BYTES);
	text_escape(&name, path.data + begin, path.size - begin);
	if (name.status != 0 || name.size == 0 || strcmp(buf_text(&name), ".") == 0 ||
	    strcmp(buf_text(&name), "..") == 0)
		uuid_format(&sealed_reader_metadata(download->reader)->id, download->name);
	else
		snprintf(download->name, sizeof(download->name), "%s", buf_text(&name));
	buf_done(&name);
}

/* --- the zip --- */

static ssize_t zip_write(struct archive *archive, void *argument, const void *bytes, size_t size)
{
	struct download *download = argument;
	int rc = download->begun ? 0 : api_stream_begin(download->call, "application/zip", download->err);

	download->begun = true;
	if (rc == 0)
		rc = api_stream_write(download->call, bytes, size, download->err);
	if (rc == 0)
		return (ssize_t)size;
	archive_set_error(archive, EPIPE, "%s", download->err->text);
	return -1;
}

static int zip_failed(struct download *download, struct err *err)
{
	if (download->err->code != 0)
		return download->err->code;
	return err_set(err, ERR_INTERNAL, "zip: %s", archive_error_string(download->archive));
}

static int zip_open(struct download *download, const char *password, struct err *err)
{
	struct archive *archive = archive_write_new();

	download->archive = archive;
	if (archive == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	if (archive_write_set_format_zip(archive) != ARCHIVE_OK ||
	    archive_write_set_options(archive, "zip:encryption=aes256,zip:hdrcharset=UTF-8") != ARCHIVE_OK ||
	    archive_write_set_passphrase(archive, password) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(archive, 0) != ARCHIVE_OK ||
	    archive_write_open(archive, download, NULL, zip_write, NULL) != ARCHIVE_OK)
		return zip_failed(download, err);
	return 0;
}

static int zip_entry(struct download *download, struct err *err)
{
	const struct sealed_metadata *metadata = sealed_reader_metadata(download->reader);
	struct archive_entry *entry = archive_entry_new2(download->archive);
	int rc = 0;

	if (entry == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	archive_entry_set_pathname_utf8(entry, download->name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_size(entry, (la_int64_t)metadata->size);
	archive_entry_set_mtime(entry, (time_t)(metadata->modified_ns / 1000000000), 0);
	if (archive_write_header(download->archive, entry) != ARCHIVE_OK)
		rc = zip_failed(download, err);
	archive_entry_free(entry);
	return rc;
}

static int zip_content(struct download *download, struct err *err)
{
	uint64_t chunks = sealed_reader_chunks(download->reader);
	int rc = 0;

	for (uint64_t i = 0; rc == 0 && i < chunks; i++) {
		uint64_t offset;
		size_t sealed_size, size = 0;

		rc = sealed_reader_place(download->reader, i, &offset, &sealed_size, err);
		if (rc == 0)
			rc = read_at(download, offset, download->sealed, sealed_size, err);
		if (rc == 0)
			rc = sealed_reader_chunk(download->reader, i, download->sealed, sealed_size, download->plain,
						 &size, err);
		if (rc == 0 && size > 0 &&
		    archive_write_data(download->archive, download->plain, size) != (la_ssize_t)size)
			rc = zip_failed(download, err);
	}
	return rc;
}

static int zip_all(struct download *download, const char *password, struct err *err)
{
	int rc = zip_open(download, password, err);

	if (rc == 0)
		rc = zip_entry(download, err);
	if (rc == 0)
		rc = zip_content(download, err);
	if (rc == 0 && archive_write_close(download->archive) != ARCHIVE_OK)
		rc = zip_failed(download, err);
	if (rc != 0 && download->archive != NULL)
		archive_write_fail(download->archive); /* or freeing would end it as if it were whole */
	return rc;
}

/* --- the request --- */

static int traced(struct store_session *session, struct change *change, struct err *err)
{
	(void)session;
	(void)change;
	(void)err;
	return 0;
}

static int trace(struct api_call *call, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	struct change change = { .call = call, .action = "quarantine.download", .object = id, .apply = traced };

	uuid_format(api_path_id(call), id);
	return change_do(&change, err);
}

static void disposition(struct api_call *call)
{
	char id[UUID_TEXT_BYTES];
	char value[96];

	uuid_format(api_path_id(call), id);
	snprintf(value, sizeof(value), "attachment; filename=\"%s.zip\"", id);
	api_header(call, "Content-Disposition", value);
}

static int run(struct download *download, struct err *err)
{
	struct api_value password = api_query(download->call, "password");
	int rc = open_reader(download, err);

	if (rc == 0)
		rc = trace(download->call, err);
	if (rc != 0)
		return rc;
	set_name(download);
	disposition(download->call);
	rc = zip_all(download, password.text != NULL ? password.text : PASSWORD_DEFAULT, err);
	if (rc != 0 && download->begun) {
		if (rc != ERR_CLOSED)
			LOG(LOG_ERROR, "api.download_cut_short", log_uuid("item", api_path_id(download->call)),
			    log_err(err));
		return 0; /* nothing can be said any more: the zip has no end */
	}
	return rc;
}

int quarantine_download(struct api_call *call, struct err *err)
{
	struct download *download = NULL;
	int rc = 0;

	if (atomic_fetch_add(&call->api->downloads, 1) >= DOWNLOADS_MAX)
		rc = err_set(err, ERR_BUSY, "%d downloads are under way already: try again later.", DOWNLOADS_MAX);
	if (rc == 0)
		download = calloc(1, sizeof(*download));
	if (rc == 0 && download == NULL)
		rc = err_set(err, ERR_MEMORY, "no memory");
	if (rc == 0) {
		download->call = call;
		download->err = err;
		rc = front_quarantine_open(api_call_front(call), api_path_id(call), &download->file, err);
		if (rc == 0) {
			rc = run(download, err);
			close(download->file.fd);
		}
		archive_write_free(download->archive);
		sealed_reader_free(download->reader);
		OPENSSL_cleanse(download, sizeof(*download));
		free(download);
	}
	atomic_fetch_sub(&call->api->downloads, 1);
	return rc;
}
