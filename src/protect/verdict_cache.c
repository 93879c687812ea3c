/* Buckets of keyed tags in a shared mapping. */
#include "protect/verdict_cache.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pack.h"

#define MAGIC        "MUSTERC1"
#define KEY_BYTES    32
#define HEADER_BYTES 4096
#define TAG_BYTES    16
#define BUCKET_TAGS  8
#define BUCKETS      (VERDICT_CACHE_FILES / BUCKET_TAGS)
#define FILE_BYTES   ((size_t)HEADER_BYTES + (size_t)VERDICT_CACHE_FILES * TAG_BYTES)
#define INPUT_BYTES  (KEY_BYTES + 5 * 8 + VERDICT_VERSION_BYTES)

struct header {
	uint8_t magic[8];
	uint8_t key[KEY_BYTES];
};

struct bucket {
	uint8_t tags[BUCKET_TAGS][TAG_BYTES];
};

struct verdict_cache {
	uint8_t *map;
	struct bucket *buckets;
	EVP_MD *digest;
	const struct env *env;
	uint8_t key[KEY_BYTES];
};

static bool header_is_ours(int fd)
{
	struct header header;
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size == (off_t)FILE_BYTES &&
	       pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
	       memcmp(header.magic, MAGIC, sizeof(header.magic)) == 0;
}

static int make_empty(int fd, const struct env *env, struct err *err)
{
	struct header header;
	int code = 0;

	memcpy(header.magic, MAGIC, sizeof(header.magic));
	env->random(env->context, header.key, sizeof(header.key));
	if (ftruncate(fd, 0) != 0 || ftruncate(fd, (off_t)FILE_BYTES) != 0 ||
	    pwrite(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		code = err_errno(err, errno, "verdict cache");
	OPENSSL_cleanse(&header, sizeof(header));
	return code;
}

int verdict_cache_open(int fd, const struct env *env, struct verdict_cache **ret_cache, struct err *err)
{
	struct verdict_cache *cache;
	int code = header_is_ours(fd) ? 0 : make_empty(fd, env, err);

	if (code != 0)
		return code;
	cache = calloc(1, sizeof(*cache));
	if (cache == NULL)
		return err_set(err, ERR_MEMORY, "verdict cache: no memory");
	cache->env = env;
	cache->digest = EVP_MD_fetch(NULL, "SHA256", NULL);
	cache->map = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cache->map == MAP_FAILED || cache->digest == NULL) {
		code = cache->digest == NULL ? err_set(err, ERR_INTERNAL, "verdict cache: no SHA-256")
					     : err_errno(err, errno, "verdict cache: map");
		verdict_cache_close(cache);
		return code;
	}
	/* Look-ups jump about: reading ahead would only fill memory. */
	(void)madvise(cache->map, FILE_BYTES, MADV_RANDOM);
	cache->buckets = (struct bucket *)(void *)(cache->map + HEADER_BYTES);
	memcpy(cache->key, cache->map + sizeof(((struct header *)0)->magic), KEY_BYTES);
	*ret_cache = cache;
	return 0;
}

void verdict_cache_close(struct verdict_cache *cache)
{
	if (cache == NULL)
		return;
	if (cache->map != MAP_FAILED && cache->map != NULL)
		munmap(cache->map, FILE_BYTES);
	EVP_MD_free(cache->digest);
	OPENSSL_cleanse(cache->key, sizeof(cache->key));
	free(cache);
}

static void put_u64(uint8_t **at, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		*(*at)++ = (uint8_t)(value >> (8 * i));
}

/* Fixed-length input with the key in front, cut to half: as good as a MAC. */
static bool tag_of(const struct verdict_cache *cache, const struct verdict_file *file, const uint8_t *version,
		   uint8_t tag[TAG_BYTES])
{
	uint8_t input[INPUT_BYTES];
	uint8_t digest[EVP_MAX_MD_SIZE];
	uint8_t *at = input;
	bool made;

	memcpy(at, cache->key, KEY_BYTES);
	at += KEY_BYTES;
	put_u64(&at, file->device);
	put_u64(&at, file->inode);
	put_u64(&at, file->size);
	put_u64(&at, (uint64_t)file->modified_ns);
	put_u64(&at, (uint64_t)file->changed_ns);
	memcpy(at, version, VERDICT_VERSION_BYTES);
	made = EVP_Digest(input, sizeof(input), digest, NULL, cache->digest, NULL) == 1;
	OPENSSL_cleanse(input, sizeof(input));
	memcpy(tag, digest, TAG_BYTES);
	return made;
}

static struct bucket *bucket_of(const struct verdict_cache *cache, const uint8_t tag[TAG_BYTES])
{
	uint32_t index;

	memcpy(&index, tag, sizeof(index));
	return &cache->buckets[index % BUCKETS];
}

static int find(const struct bucket *bucket, const uint8_t tag[TAG_BYTES])
{
	for (int i = 0; i < BUCKET_TAGS; i++) {
		if (memcmp(bucket->tags[i], tag, TAG_BYTES) == 0)
			return i;
	}
	return -1;
}

bool verdict_cache_clean(const struct verdict_cache *cache, const struct verdict_file *file,
			 const uint8_t version[VERDICT_VERSION_BYTES])
{
	uint8_t tag[TAG_BYTES];

	return tag_of(cache, file, version, tag) && find(bucket_of(cache, tag), tag) >= 0;
}

bool verdict_cache_settled(const struct verdict_file *file, time_us scanned_at)
{
	int64_t latest_ns = file->modified_ns > file->changed_ns ? file->modified_ns : file->changed_ns;

	return latest_ns / 1000 + VERDICT_RACE_US < scanned_at;
}

void verdict_cache_keep(struct verdict_cache *cache, const struct verdict_file *file,
			const uint8_t version[VERDICT_VERSION_BYTES], time_us scanned_at)
{
	static const uint8_t none[TAG_BYTES];
	uint8_t tag[TAG_BYTES];
	struct bucket *bucket;
	int slot;

	if (!verdict_cache_settled(file, scanned_at) || !tag_of(cache, file, version, tag))
		return;
	bucket = bucket_of(cache, tag);
	if (find(bucket, tag) >= 0)
		return;
	slot = find(bucket, none);
	if (slot < 0)
		slot = (int)env_below(cache->env, BUCKET_TAGS);
	memcpy(bucket->tags[slot], tag, TAG_BYTES);
}
