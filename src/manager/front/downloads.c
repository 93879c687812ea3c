/* Who has a place to download, and who loses it for another (downloads.h). Addresses come from the network. */
#include "manager/front/downloads.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "manager/front/cooldown.h"

#define SOURCE_BYTES 64

struct download {
	struct downloads *all;
	struct download *next, **previous;
	char source[SOURCE_BYTES];
	time_us begun; /* monotonic */
	uint64_t sent;
	void (*cut)(void *argument);
	void *argument;
	bool lost; /* its place is another's */
};

struct downloads {
	const struct env *env;
	pthread_mutex_t lock;
	struct download *first;
	size_t taken; /* places */
};

int downloads_new(const struct env *env, struct downloads **ret_downloads, struct err *err)
{
	struct downloads *downloads = calloc(1, sizeof(*downloads));

	if (downloads == NULL)
		return err_set(err, ERR_MEMORY, "no memory for downloads");
	downloads->env = env;
	pthread_mutex_init(&downloads->lock, NULL);
	*ret_downloads = downloads;
	return 0;
}

void downloads_free(struct downloads *downloads)
{
	if (downloads == NULL)
		return;
	pthread_mutex_destroy(&downloads->lock);
	free(downloads);
}

/* --- whose place is taken; under the lock --- */

static bool can_lose(const struct download *download)
{
	return !download->lost && download->cut != NULL;
}

static size_t places_of(const struct downloads *downloads, const char *source)
{
	size_t count = 0;

	for (const struct download *one = downloads->first; one != NULL; one = one->next)
		count += !one->lost && strcmp(one->source, source) == 0;
	return count;
}

/* How many bytes it is behind one that brings the least rate; below 0: it is not. */
static int64_t behind(const struct download *download, time_us now)
{
	span_us counted = now - download->begun - DOWNLOADS_GRACE_US;

	return counted > 0 ? counted / SECOND_US * (int64_t)DOWNLOADS_LEAST_RATE - (int64_t)download->sent : -1;
}

static struct download *furthest_behind(const struct downloads *downloads, time_us now)
{
	struct download *found = NULL;
	int64_t most = 0;

	for (struct download *one = downloads->first; one != NULL; one = one->next) {
		if (can_lose(one) && behind(one, now) > most) {
			most = behind(one, now);
			found = one;
		}
	}
	return found;
}

static double rate(const struct download *download, time_us now)
{
	return (double)download->sent / (double)(now - download->begun + 1);
}

static struct download *slowest_of(const struct downloads *downloads, const char *source, time_us now)
{
	struct download *found = NULL;

	for (struct download *one = downloads->first; one != NULL; one = one->next) {
		if (can_lose(one) && strcmp(one->source, source) == 0 &&
		    (found == NULL || rate(one, now) < rate(found, now)))
			found = one;
	}
	return found;
}

/* Of the address that has the most places, if that leaves it no fewer than the newcomer's will have. */
static struct download *one_of_many(const struct downloads *downloads, const char *newcomer, time_us now)
{
	size_t most = places_of(downloads, newcomer) + 1;
	const char *source = NULL;

	for (const struct download *one = downloads->first; one != NULL; one = one->next) {
		size_t count = places_of(downloads, one->source);

		if (count > most) {
			most = count;
			source = one->source;
		}
	}
	return source != NULL ? slowest_of(downloads, source, now) : NULL;
}

static bool make_room(struct downloads *downloads, const char *newcomer, time_us now)
{
	struct download *loser = furthest_behind(downloads, now);

	if (loser == NULL)
		loser = one_of_many(downloads, newcomer, now);
	if (loser == NULL)
		return false;
	loser->lost = true;
	downloads->taken--;
	loser->cut(loser->argument);
	return true;
}

/* --- a place --- */

static void enter(struct downloads *downloads, struct download *download)
{
	download->all = downloads;
	download->next = downloads->first;
	download->previous = &downloads->first;
	if (download->next != NULL)
		download->next->previous = &download->next;
	downloads->first = download;
	downloads->taken++;
}

struct download *downloads_begin(struct downloads *downloads, const char *peer)
{
	struct download *download = calloc(1, sizeof(*download));
	bool room;

	if (download == NULL)
		return NULL;
	cooldown_source(peer, download->source, sizeof(download->source));
	pthread_mutex_lock(&downloads->lock);
	download->begun = env_monotonic(downloads->env);
	room = downloads->taken < DOWNLOADS_MAX || make_room(downloads, download->source, download->begun);
	if (room)
		enter(downloads, download);
	pthread_mutex_unlock(&downloads->lock);
	if (room)
		return download;
	free(download);
	return NULL;
}

void downloads_cuttable(struct download *download, void (*cut)(void *argument), void *argument)
{
	pthread_mutex_lock(&download->all->lock);
	download->cut = cut;
	download->argument = argument;
	pthread_mutex_unlock(&download->all->lock);
}

void downloads_sent(struct download *download, uint64_t bytes)
{
	if (download == NULL)
		return;
	pthread_mutex_lock(&download->all->lock);
	download->sent = bytes;
	pthread_mutex_unlock(&download->all->lock);
}

void downloads_end(struct download *download)
{
	struct downloads *downloads;

	if (download == NULL)
		return;
	downloads = download->all;
	pthread_mutex_lock(&downloads->lock);
	*download->previous = download->next;
	if (download->next != NULL)
		download->next->previous = download->previous;
	downloads->taken -= !download->lost;
	pthread_mutex_unlock(&downloads->lock);
	free(download);
}
