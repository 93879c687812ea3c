/* A database: its lock, its writer, its pool of readers. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/session.h"
#include "store/writer.h"

#define READERS_MAX 16

struct store {
	char *path;
	int lock_fd;
	struct writer *writer;
	pthread_mutex_t mutex;
	pthread_cond_t returned;
	/* under mutex */
	struct store_session readers[READERS_MAX];
	bool taken[READERS_MAX];
	size_t count;
};

/* SQLite would make the file as the umask says; ours is nobody else's. */
static int make_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_errno(err, errno, "%s", path);
	close(fd);
	return 0;
}

static int open_readers(struct store *store, size_t count, struct err *err)
{
	int rc = 0;

	while (rc == 0 && store->count < count) {
		rc = session_open(&store->readers[store->count], store->path, false, err);
		if (rc == 0)
			store->count++;
	}
	return rc;
}

/* An empty database in the place of one that was lost would forget every computer. */
static int check_existing(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "%s is missing: restore a backup", path)
				       : err_errno(err, errno, "%s", path);
	if (st.st_size == 0)
		return err_set(err, ERR_FORMAT, "%s is empty: it was cut short; restore a backup", path);
	return 0;
}

static int open_all(struct store *store, const struct store_options *options, struct err *err)
{
	struct store_session session = { 0 };
	int rc = options->existing ? check_existing(options->path, err) : 0;

	if (rc == 0 && !options->guest) {
		rc = store_lock(options->path, &store->lock_fd, err);
		if (rc == 0)
			rc = make_file(options->path, err);
	}
	if (rc == 0)
		rc = session_open(&session, options->path, true, err);
	if (rc == 0)
		rc = options->guest ? store_check_version(&session, options, err)
				    : store_migrate(&session, options, err);
	if (rc == 0)
		rc = writer_new(&session, options, &store->writer, err);
	session_close(&session);
	return rc == 0 ? open_readers(store, options->readers, err) : rc;
}

/* Counting what SQLite allocates, which nobody reads, takes a lock of the process at each allocation. */
static void configure(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int store_open(const struct store_options *options, struct store **ret_store, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct store *store;
	int rc;

	pthread_once(&once, configure);
	if (options->readers < 1 || options->readers > READERS_MAX)
		return err_set(err, ERR_RANGE, "readers: 1 to %d", READERS_MAX);
	store = calloc(1, sizeof(*store));
	if (store == NULL)
		return err_set(err, ERR_MEMORY, "out of memory for the database");
	store->lock_fd = -1;
	pthread_mutex_init(&store->mutex, NULL);
	pthread_cond_init(&store->returned, NULL);
	store->path = strdup(options->path);
	rc = store->path != NULL ? open_all(store, options, err) : err_set(err, ERR_MEMORY, "out of memory");
	if (rc != 0) {
		store_close(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	/* Readers go first: the last connection to close folds the log into the file. */
	for (size_t i = 0; i < store->count; i++)
		session_close(&store->readers[i]);
	writer_free(store->writer);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	pthread_cond_destroy(&store->returned);
	pthread_mutex_destroy(&store->mutex);
	free(store->path);
	free(store);
}

int store_write(struct store *store, store_function function,
		void (*done)(void *argument, int rc, const struct err *err), void *argument)
{
	return writer_queue(store->writer, NULL, function, done, argument);
}

int store_write_of(struct store *store, const struct uuid *of, store_function function,
		   void (*done)(void *argument, int rc, const struct err *err), void *argument)
{
	return writer_queue(store->writer, of, function, done, argument);
}

/* A write that somebody waits for. */
struct waited {
	store_function function;
	void *argument;
	struct err *err;
	int rc;
	bool over;
	pthread_mutex_t mutex;
	pthread_cond_t end;
};

static int waited_run(struct store_session *session, void *argument, struct err *err)
{
	struct waited *waited = argument;

	return waited->function(session, waited->argument, err);
}

static void waited_done(void *argument, int rc, const struct err *err)
{
	struct waited *waited = argument;

	pthread_mutex_lock(&waited->mutex);
	waited->rc = rc;
	waited->over = true;
	if (rc != 0 && waited->err != NULL)
		*waited->err = *err;
	pthread_cond_signal(&waited->end);
	pthread_mutex_unlock(&waited->mutex);
}

int store_write_wait(struct store *store, store_function function, void *argument, struct err *err)
{
	struct waited waited = { .function = function, .argument = argument, .err = err };
	int rc;

	pthread_mutex_init(&waited.mutex, NULL);
	pthread_cond_init(&waited.end, NULL);
	rc = store_write(store, waited_run, waited_done, &waited);
	if (rc != 0) {
		err_set(err, rc, "%s",
			rc == ERR_BUSY ? "too many writes are waiting for the database; try again soon"
				       : "the database takes no more writes");
	} else {
		pthread_mutex_lock(&waited.mutex);
		while (!waited.over)
			pthread_cond_wait(&waited.end, &waited.mutex);
		pthread_mutex_unlock(&waited.mutex);
		rc = waited.rc;
	}
	pthread_cond_destroy(&waited.end);
	pthread_mutex_destroy(&waited.mutex);
	return rc;
}

static size_t take_reader(struct store *store)
{
	size_t place;

	pthread_mutex_lock(&store->mutex);
	for (;;) {
		for (place = 0; place < store->count && store->taken[place]; place++)
			;
		if (place < store->count)
			break;
		pthread_cond_wait(&store->returned, &store->mutex);
	}
	store->taken[place] = true;
	pthread_mutex_unlock(&store->mutex);
	return place;
}

static void return_reader(struct store *store, size_t place)
{
	pthread_mutex_lock(&store->mutex);
	store->taken[place] = false;
	pthread_cond_signal(&store->returned);
	pthread_mutex_unlock(&store->mutex);
}

int store_read(struct store *store, store_function function, void *argument, struct err *err)
{
	size_t place = take_reader(store);
	struct store_session *session = &store->readers[place];
	int rc = session_run(session, "BEGIN", err);

	if (rc == 0) {
		rc = function(session, argument, err);
		session_reset(session);
		session_run(session, "ROLLBACK", NULL);
	}
	return_reader(store, place);
	return rc;
}

static uint64_t file_bytes(const char *path, const char *suffix)
{
	char name[4096 + 8];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void store_counters(struct store *store, struct store_counters *out)
{
	writer_counters(store->writer, out);
	out->bytes = file_bytes(store->path, "") + file_bytes(store->path, "-wal");
}
