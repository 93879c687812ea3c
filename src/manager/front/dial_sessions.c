/* See dial_sessions.h. */
#include "manager/front/dial_sessions.h"

#include <stdlib.h>

#include "base/map.h"

struct dial_sessions {
	struct map *map; /* by the computer's uuid */
	size_t most;
};

struct dial_sessions *dial_sessions_new(const struct env *env, size_t most)
{
	struct dial_sessions *sessions = calloc(1, sizeof(*sessions));
	uint64_t seed;

	if (sessions == NULL)
		return NULL;
	sessions->most = most;
	env->random(env->context, &seed, sizeof(seed));
	sessions->map = map_new(seed);
	if (sessions->map == NULL) {
		free(sessions);
		return NULL;
	}
	return sessions;
}

static void drop(struct dial_sessions *sessions, bool all)
{
	struct tls_session *session;
	size_t position = 0, size;
	const void *key;

	while ((session = map_next(sessions->map, &position, &key, &size)) != NULL) {
		if (!all && !tls_session_ended(session))
			continue;
		map_remove(sessions->map, key, size);
		tls_session_free(session);
	}
}

void dial_sessions_clear(struct dial_sessions *sessions)
{
	drop(sessions, true);
}

void dial_sessions_sweep(struct dial_sessions *sessions)
{
	drop(sessions, false);
}

void dial_sessions_free(struct dial_sessions *sessions)
{
	if (sessions == NULL)
		return;
	dial_sessions_clear(sessions);
	map_free(sessions->map);
	free(sessions);
}

struct tls_session *dial_sessions_take(struct dial_sessions *sessions, const struct uuid *computer)
{
	struct tls_session *session = map_remove(sessions->map, computer->bytes, sizeof(computer->bytes));

	if (session == NULL || !tls_session_ended(session))
		return session;
	tls_session_free(session);
	return NULL;
}

void dial_sessions_keep(struct dial_sessions *sessions, const struct uuid *computer, struct tls_session *session)
{
	struct tls_session *before;

	if (session == NULL)
		return;
	before = map_remove(sessions->map, computer->bytes, sizeof(computer->bytes));
	tls_session_free(before);
	if (map_count(sessions->map) >= sessions->most ||
	    map_set(sessions->map, computer->bytes, sizeof(computer->bytes), session) != 0)
		tls_session_free(session);
}

size_t dial_sessions_count(const struct dial_sessions *sessions)
{
	return map_count(sessions->map);
}
