/* Fingerprint -> computer. */
#include "manager/front/roster.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"

struct entry {
	struct uuid computer;
	uint8_t standing;  /* enum roster_standing */
	bool next;         /* given, and not used yet */
	bool replaced;     /* the one that followed it was used */
	uint32_t end_hour; /* since 1970; 0: not known */
	uint32_t roots_s;  /* likewise, of the newest root that its agent was given with it */
};

struct roster {
	pthread_rwlock_t lock;
	struct map *map;
};

int roster_new(const struct env *env, struct roster **ret_roster, struct err *err)
{
	struct roster *roster = calloc(1, sizeof(*roster));
	uint64_t seed;

	env->random(env->context, &seed, sizeof(seed));
	if (roster != NULL)
		roster->map = map_new(seed);
	if (roster == NULL || roster->map == NULL) {
		free(roster);
		return err_set(err, ERR_MEMORY, "roster: no memory");
	}
	pthread_rwlock_init(&roster->lock, NULL);
	*ret_roster = roster;
	return 0;
}

void roster_free(struct roster *roster)
{
	size_t position = 0;
	void *entry;

	if (roster == NULL)
		return;
	while ((entry = map_next(roster->map, &position, NULL, NULL)) != NULL)
		free(entry);
	map_free(roster->map);
	pthread_rwlock_destroy(&roster->lock);
	free(roster);
}

int roster_put(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES], const struct uuid *computer,
	       enum roster_standing standing, struct err *err)
{
	struct entry *entry = malloc(sizeof(*entry));
	void *old;
	int rc;

	if (entry == NULL)
		return err_set(err, ERR_MEMORY, "roster: no memory");
	*entry = (struct entry){ .computer = *computer, .standing = (uint8_t)standing };
	pthread_rwlock_wrlock(&roster->lock);
	old = map_get(roster->map, fingerprint, SHA256_BYTES);
	rc = map_set(roster->map, fingerprint, SHA256_BYTES, entry);
	pthread_rwlock_unlock(&roster->lock);
	free(rc == 0 ? old : entry);
	return rc == 0 ? 0 : err_set(err, rc, "roster: no memory");
}

void roster_set(struct roster *roster, const struct uuid *computer, enum roster_standing standing)
{
	size_t position = 0;
	struct entry *entry;

	pthread_rwlock_wrlock(&roster->lock);
	while ((entry = map_next(roster->map, &position, NULL, NULL)) != NULL) {
		if (uuid_equal(&entry->computer, computer) && entry->standing != ROSTER_REVOKED)
			entry->standing = (uint8_t)standing;
	}
	pthread_rwlock_unlock(&roster->lock);
}

void roster_each(struct roster *roster, const struct uuid *computer,
		 void (*function)(void *argument, const uint8_t fingerprint[SHA256_BYTES]), void *argument)
{
	size_t position = 0;
	const void *fingerprint;
	const struct entry *entry;

	pthread_rwlock_rdlock(&roster->lock);
	while ((entry = map_next(roster->map, &position, &fingerprint, NULL)) != NULL) {
		if (uuid_equal(&entry->computer, computer))
			function(argument, fingerprint);
	}
	pthread_rwlock_unlock(&roster->lock);
}

/* As its computer stands; of one that was followed by another, what it is as long as nobody sent the computer away. */
static enum roster_standing standing_of(const struct entry *entry)
{
	bool counts = entry->standing == ROSTER_ACTIVE || entry->standing == ROSTER_MOVED;

	return entry->replaced && counts ? ROSTER_REPLACED : (enum roster_standing)entry->standing;
}

enum roster_standing roster_find(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES],
				 struct uuid *ret_computer)
{
	enum roster_standing standing = ROSTER_UNKNOWN;
	const struct entry *entry;

	pthread_rwlock_rdlock(&roster->lock);
	entry = map_get(roster->map, fingerprint, SHA256_BYTES);
	if (entry != NULL) {
		standing = standing_of(entry);
		*ret_computer = entry->computer;
	}
	pthread_rwlock_unlock(&roster->lock);
	return standing;
}

void roster_describe(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES], time_us not_after, time_us roots)
{
	struct entry *entry;

	pthread_rwlock_wrlock(&roster->lock);
	entry = map_get(roster->map, fingerprint, SHA256_BYTES);
	if (entry != NULL) {
		entry->end_hour = not_after > 0 ? (uint32_t)(not_after / HOUR_US) : 0;
		entry->roots_s = roots > 0 ? (uint32_t)(roots / SECOND_US) : 0;
	}
	pthread_rwlock_unlock(&roster->lock);
}

static bool change_next(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES], bool next)
{
	struct entry *entry;
	bool changed;

	pthread_rwlock_wrlock(&roster->lock);
	entry = map_get(roster->map, fingerprint, SHA256_BYTES);
	changed = entry != NULL && entry->next != next;
	if (changed)
		entry->next = next;
	pthread_rwlock_unlock(&roster->lock);
	return changed;
}

void roster_next(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES])
{
	(void)change_next(roster, fingerprint, true);
}

bool roster_promote(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES])
{
	return change_next(roster, fingerprint, false);
}

void roster_about(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES], struct roster_about *ret_about)
{
	const struct entry *entry;

	pthread_rwlock_rdlock(&roster->lock);
	entry = map_get(roster->map, fingerprint, SHA256_BYTES);
	*ret_about = (struct roster_about){ .end = 0 };
	if (entry != NULL)
		*ret_about = (struct roster_about){ (time_us)entry->end_hour * HOUR_US,
						    (time_us)entry->roots_s * SECOND_US, entry->next };
	pthread_rwlock_unlock(&roster->lock);
}

void roster_replaced(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES])
{
	struct entry *entry;

	pthread_rwlock_wrlock(&roster->lock);
	entry = map_get(roster->map, fingerprint, SHA256_BYTES);
	if (entry != NULL)
		entry->replaced = true;
	pthread_rwlock_unlock(&roster->lock);
}

void roster_forget(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES])
{
	pthread_rwlock_wrlock(&roster->lock);
	free(map_remove(roster->map, fingerprint, SHA256_BYTES));
	pthread_rwlock_unlock(&roster->lock);
}
