/* Waiting times of sources that do something too often. */
#include "manager/front/cooldown.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define WAIT_FIRST_US SECOND_US
#define FORGET_US     HOUR_US

const struct cooldown_rule cooldown_default = { COOLDOWN_FREE, 5 * MINUTE_US };

struct source {
	unsigned failures;
	time_us last;  /* monotonic */
	time_us until; /* monotonic */
};

struct cooldown {
	const struct env *env;
	const struct cooldown_rule *rule;
	pthread_mutex_t lock;
	struct map *sources;
};

int cooldown_new(const struct env *env, const struct cooldown_rule *rule, struct cooldown **ret_cooldown,
		 struct err *err)
{
	struct cooldown *cooldown = calloc(1, sizeof(*cooldown));
	uint64_t seed;

	env->random(env->context, &seed, sizeof(seed));
	if (cooldown != NULL)
		cooldown->sources = map_new(seed);
	if (cooldown == NULL || cooldown->sources == NULL) {
		free(cooldown);
		return err_set(err, ERR_MEMORY, "cool-down: no memory");
	}
	cooldown->env = env;
	cooldown->rule = rule;
	pthread_mutex_init(&cooldown->lock, NULL);
	*ret_cooldown = cooldown;
	return 0;
}

void cooldown_free(struct cooldown *cooldown)
{
	size_t position = 0;
	void *source;

	if (cooldown == NULL)
		return;
	while ((source = map_next(cooldown->sources, &position, NULL, NULL)) != NULL)
		free(source);
	map_free(cooldown->sources);
	pthread_mutex_destroy(&cooldown->lock);
	free(cooldown);
}

/* The key's length is bounded by the map's. */
static size_t key_size(const char *source)
{
	return strnlen(source, 255);
}

span_us cooldown_left(struct cooldown *cooldown, const char *source)
{
	const struct source *known;
	span_us left = 0;

	pthread_mutex_lock(&cooldown->lock);
	known = map_get(cooldown->sources, source, key_size(source));
	if (known != NULL)
		left = known->until - env_monotonic(cooldown->env);
	pthread_mutex_unlock(&cooldown->lock);
	return left > 0 ? left : 0;
}

/* Under the lock: forgets who was quiet for `quiet`; true if that made room. */
static bool forget(struct cooldown *cooldown, time_us now, span_us quiet)
{
	size_t position = 0, before = map_count(cooldown->sources), key_length;
	struct source *source;
	const void *key;

	while ((source = map_next(cooldown->sources, &position, &key, &key_length)) != NULL) {
		if (now - source->last < quiet)
			continue;
		map_remove(cooldown->sources, key, key_length);
		free(source);
	}
	return map_count(cooldown->sources) < before;
}

static struct source *take_source(struct cooldown *cooldown, const char *name, time_us now)
{
	struct source *source = map_get(cooldown->sources, name, key_size(name));

	if (source != NULL)
		return source;
	for (span_us quiet = FORGET_US; map_count(cooldown->sources) >= COOLDOWN_SOURCES_MAX; quiet /= 2)
		forget(cooldown, now, quiet);
	source = calloc(1, sizeof(*source));
	if (source != NULL && map_set(cooldown->sources, name, key_size(name), source) != 0) {
		free(source);
		source = NULL;
	}
	return source;
}

void cooldown_failed(struct cooldown *cooldown, const char *name)
{
	const struct cooldown_rule *rule = cooldown->rule;
	time_us now = env_monotonic(cooldown->env);
	span_us wait = WAIT_FIRST_US;
	struct source *source;

	pthread_mutex_lock(&cooldown->lock);
	source = take_source(cooldown, name, now);
	if (source != NULL) {
		if (now - source->last > FORGET_US)
			source->failures = 0;
		source->last = now;
		source->failures++;
		for (unsigned i = rule->free + 1; i < source->failures && wait < rule->wait_max; i++)
			wait *= 2;
		if (source->failures > rule->free)
			source->until = now + (wait < rule->wait_max ? wait : rule->wait_max);
	}
	pthread_mutex_unlock(&cooldown->lock);
}

void cooldown_succeeded(struct cooldown *cooldown, const char *source)
{
	pthread_mutex_lock(&cooldown->lock);
	free(map_remove(cooldown->sources, source, key_size(source)));
	pthread_mutex_unlock(&cooldown->lock);
}

void cooldown_source(const char *peer, char *source, size_t capacity)
{
	const char *colon = strrchr(peer, ':');
	bool bracketed = peer[0] == '[' && colon != NULL && colon > peer && colon[-1] == ']';
	int length = colon == NULL ? (int)strlen(peer) : (int)(colon - peer);
	struct in6_addr address;

	if (bracketed)
		snprintf(source, capacity, "%.*s", length - 2, peer + 1);
	else
		snprintf(source, capacity, "%.*s", length, peer);
	if (!bracketed || inet_pton(AF_INET6, source, &address) != 1 || IN6_IS_ADDR_V4MAPPED(&address))
		return;
	memset(address.s6_addr + 8, 0, 8);
	if (inet_ntop(AF_INET6, &address, source, (socklen_t)capacity) == NULL)
		source[0] = '\0';
}
