/* Uploads under way. */
#include "manager/front/uploads.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/map.h"

struct upload {
	struct uuid item, computer;
	int fd;
	uint64_t offset;
	struct quarantine_metadata metadata; /* json is not kept */
	time_us touched;                     /* monotonic */
	bool taken;
};

struct uploads {
	const struct env *env;
	pthread_mutex_t lock;
	struct map *map;
};

int uploads_new(const struct env *env, struct uploads **ret_uploads, struct err *err)
{
	struct uploads *uploads = calloc(1, sizeof(*uploads));
	uint64_t seed;

	env->random(env->context, &seed, sizeof(seed));
	if (uploads != NULL)
		uploads->map = map_new(seed);
	if (uploads == NULL || uploads->map == NULL) {
		free(uploads);
		return err_set(err, ERR_MEMORY, "uploads: no memory");
	}
	uploads->env = env;
	pthread_mutex_init(&uploads->lock, NULL);
	*ret_uploads = uploads;
	return 0;
}

static void upload_free(struct upload *upload)
{
	if (upload == NULL)
		return;
	close(upload->fd);
	OPENSSL_cleanse(&upload->metadata, sizeof(upload->metadata));
	free(upload);
}

void uploads_free(struct uploads *uploads)
{
	size_t position = 0;
	struct upload *upload;

	if (uploads == NULL)
		return;
	while ((upload = map_next(uploads->map, &position, NULL, NULL)) != NULL)
		upload_free(upload);
	map_free(uploads->map);
	pthread_mutex_destroy(&uploads->lock);
	free(uploads);
}

/* Under the lock. */
static bool drop_idle(struct uploads *uploads, span_us idle)
{
	time_us now = env_monotonic(uploads->env);
	struct upload *oldest = NULL, *upload;
	size_t position = 0;

	while ((upload = map_next(uploads->map, &position, NULL, NULL)) != NULL) {
		if (!upload->taken && (oldest == NULL || upload->touched < oldest->touched))
			oldest = upload;
	}
	if (oldest == NULL || now - oldest->touched < idle)
		return false;
	map_remove(uploads->map, oldest->item.bytes, UUID_BYTES);
	upload_free(oldest);
	return true;
}

bool uploads_drop_idle(struct uploads *uploads, span_us idle)
{
	bool dropped;

	pthread_mutex_lock(&uploads->lock);
	dropped = drop_idle(uploads, idle);
	pthread_mutex_unlock(&uploads->lock);
	return dropped;
}

bool uploads_drop(struct uploads *uploads, const struct uuid *item)
{
	struct upload *upload;
	bool idle;

	pthread_mutex_lock(&uploads->lock);
	upload = map_get(uploads->map, item->bytes, UUID_BYTES);
	idle = upload == NULL || !upload->taken;
	if (idle && upload != NULL) {
		map_remove(uploads->map, item->bytes, UUID_BYTES);
		upload_free(upload);
	}
	pthread_mutex_unlock(&uploads->lock);
	return idle;
}

static struct upload *upload_make(struct uploads *uploads, const struct uuid *item, const struct uuid *computer, int fd,
				  uint64_t offset, const struct quarantine_metadata *metadata)
{
	struct upload *upload = calloc(1, sizeof(*upload));

	if (upload == NULL)
		return NULL;
	upload->item = *item;
	upload->computer = *computer;
	upload->fd = fd;
	upload->offset = offset;
	upload->metadata = *metadata;
	upload->metadata.json = NULL;
	upload->touched = env_monotonic(uploads->env);
	return upload;
}

/* Under the lock. */
static int put(struct uploads *uploads, struct upload *upload, struct err *err)
{
	struct upload *old = map_get(uploads->map, upload->item.bytes, UUID_BYTES);

	if (old != NULL && old->taken)
		return err_set(err, ERR_BUSY, "the file is being sent already");
	if (old == NULL && map_count(uploads->map) >= UPLOADS_MAX && !drop_idle(uploads, MINUTE_US))
		return err_set(err, ERR_BUSY, "too many files are being sent at once");
	if (map_set(uploads->map, upload->item.bytes, UUID_BYTES, upload) != 0)
		return err_set(err, ERR_BUSY, "no memory for another upload");
	upload_free(old);
	return 0;
}

int uploads_open(struct uploads *uploads, const struct uuid *item, const struct uuid *computer, int fd, uint64_t offset,
		 const struct quarantine_metadata *metadata, struct err *err)
{
	struct upload *upload = upload_make(uploads, item, computer, fd, offset, metadata);
	int rc;

	if (upload == NULL)
		return err_set(err, ERR_MEMORY, "no memory for another upload");
	pthread_mutex_lock(&uploads->lock);
	rc = put(uploads, upload, err);
	pthread_mutex_unlock(&uploads->lock);
	if (rc != 0) {
		OPENSSL_cleanse(&upload->metadata, sizeof(upload->metadata));
		free(upload);
	}
	return rc;
}

static int check(const struct upload *upload, const struct uuid *computer, uint64_t first, uint64_t total,
		 struct err *err)
{
	if (upload == NULL || !uuid_equal(&upload->computer, computer))
		return err_set(err, ERR_NOT_FOUND, "the file was not announced");
	if (upload->taken)
		return err_set(err, ERR_BUSY, "the file is being sent already");
	if (total != upload->metadata.sealed_size)
		return err_set(err, ERR_RANGE, "the total is not the announced sealed_size");
	if (first != upload->offset)
		return err_set(err, ERR_CONFLICT, "the upload stands elsewhere");
	return 0;
}

int uploads_take(struct uploads *uploads, const struct uuid *item, const struct uuid *computer, uint64_t first,
		 uint64_t total, struct upload **ret_upload, uint64_t *ret_offset, struct err *err)
{
	struct upload *upload;
	int rc;

	pthread_mutex_lock(&uploads->lock);
	upload = map_get(uploads->map, item->bytes, UUID_BYTES);
	rc = check(upload, computer, first, total, err);
	if (rc == 0 || rc == ERR_CONFLICT)
		*ret_offset = upload->offset;
	if (rc == 0) {
		upload->taken = true;
		*ret_upload = upload;
	}
	pthread_mutex_unlock(&uploads->lock);
	return rc;
}

void uploads_release(struct uploads *uploads, struct upload *upload, uint64_t offset, bool done)
{
	pthread_mutex_lock(&uploads->lock);
	upload->taken = false;
	upload->offset = offset;
	upload->touched = env_monotonic(uploads->env);
	if (done) {
		map_remove(uploads->map, upload->item.bytes, UUID_BYTES);
		upload_free(upload);
	}
	pthread_mutex_unlock(&uploads->lock);
}

int uploads_fd(const struct upload *upload)
{
	return upload->fd;
}

const struct quarantine_metadata *uploads_metadata(const struct upload *upload)
{
	return &upload->metadata;
}
