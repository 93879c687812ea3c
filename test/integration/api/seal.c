/* Seals standard input as a quarantined file for a test: seal ITEM-ID PATH OUT-FILE,
 * prints the item's key in hex. */
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protect/sealed.h"

static int write_all(int fd, const void *bytes, size_t size, off_t offset)
{
	return pwrite(fd, bytes, size, offset) == (ssize_t)size ? 0 : -1;
}

static int seal(struct sealed_writer *writer, int fd, struct err *err)
{
	static uint8_t plain[2][SEALED_CHUNK_BYTES], out[SEALED_CHUNK_BYTES + SEALED_TAG_BYTES];
	off_t offset = (off_t)sealed_writer_header_bytes(writer);
	size_t size = fread(plain[0], 1, SEALED_CHUNK_BYTES, stdin);
	struct buf header;
	int rc = 0;

	for (int turn = 0; rc == 0; turn ^= 1) {
		size_t next = fread(plain[turn ^ 1], 1, SEALED_CHUNK_BYTES, stdin);

		rc = sealed_writer_chunk(writer, plain[turn], size, next == 0, out, err);
		if (rc == 0 && write_all(fd, out, size + SEALED_TAG_BYTES, offset) != 0)
			rc = err_set(err, ERR_IO, "write");
		offset += (off_t)(size + SEALED_TAG_BYTES);
		if (next == 0)
			break;
		size = next;
	}
	buf_init(&header, SEALED_METADATA_MAX_BYTES + 4096);
	if (rc == 0)
		rc = sealed_writer_header(writer, &header, NULL, err);
	if (rc == 0 && write_all(fd, header.data, header.size, 0) != 0)
		rc = err_set(err, ERR_IO, "write");
	buf_done(&header);
	return rc;
}

int main(int argc, char **argv)
{
	uint8_t master[SEALED_KEY_BYTES], key[SEALED_KEY_BYTES], wrapped[SEALED_WRAPPED_BYTES];
	struct sealed_metadata metadata = { .mode = 0644, .modified_ns = 1700000000000000000 };
	struct sealed_writer *writer = NULL;
	struct err err = { 0 };
	char text[2 * SEALED_KEY_BYTES + 1];
	int fd, rc;

	if (argc != 4)
		return 2;
	fd = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	RAND_bytes(master, sizeof(master));
	rc = fd < 0 ? err_set(&err, ERR_IO, "open") : uuid_parse(argv[1], &metadata.id, &err);
	metadata.path = (struct bytes){ (const uint8_t *)argv[2], strlen(argv[2]) };
	metadata.detection = (struct bytes){ (const uint8_t *)"Eicar", 5 };
	if (rc == 0)
		rc = sealed_key_make(master, &metadata.id, key, wrapped, &err);
	if (rc == 0)
		rc = sealed_writer_new(&metadata, key, wrapped, &writer, &err);
	if (rc == 0)
		rc = seal(writer, fd, &err);
	sealed_writer_free(writer);
	hex_format(key, sizeof(key), text);
	if (rc == 0)
		puts(text);
	else
		fprintf(stderr, "seal: %s\n", err.text);
	return rc != 0;
}
