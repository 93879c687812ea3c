/* What the manager's certificates are, for people: the authorities by their place in time, then each use's. */
#include <stdio.h>
#include <string.h>

#include "manager/front/authorities.h"
#include "manager/front/certificates_parts.h"
#include "manager/front/front_state.h"
#include "manager/layout.h"

struct telling {
	const struct front *front;
	int (*each)(void *argument, const struct front_certificate *certificate);
	void *argument;
};

/* By its place in time: one issues, one may be there to follow it, others did before. */
static int tell_root(void *argument, const struct certificate_about *about)
{
	static const struct {
		const char *name, *purpose;
	} places[] = { { "authority", "signs all others and those of agents" },
		       { "authority-next", "follows the one that signs now, once the agents have it" },
		       { "authority-former", "signed before; counts as long as something that it signed may" } };
	const struct telling *telling = argument;
	const struct front_authorities *now = authorities_now(telling->front);
	size_t place = 2;

	if (memcmp(about->fingerprint, now->identity.ca_fingerprint, SHA256_BYTES) == 0)
		place = 0;
	else if (now->has_next && memcmp(about->fingerprint, now->second, SHA256_BYTES) == 0)
		place = 1;
	/* It is followed in time by itself; one of before ends as it should. */
	struct front_certificate certificate = { .name = places[place].name,
						 .purpose = places[place].purpose,
						 .file = LAYOUT_CA,
						 .about = *about,
						 .life = { about->not_before, about->not_after, place == 0 },
						 .waits_for = -1,
						 .problem = place == 0 ? now->problem : NULL,
						 .needed = place == 0 };

	if (place == 1)
		(void)authorities_waiting(telling->front, &certificate.waits_for, &certificate.turns_by);
	return telling->each(telling->argument, &certificate);
}

static int tell_use(const struct telling *telling, enum certificate_use number)
{
	struct certificates *certificates = telling->front->certificates;
	const struct certificate_held *held = &certificates->held[number];
	struct front_certificate certificate = { .name = certificate_uses[number].name,
						 .purpose = certificate_uses[number].purpose,
						 .file = certificate_uses[number].files.certificate,
						 .waits_for = -1,
						 .needed = true };
	char problem[sizeof(held->problem)];
	bool there;

	pthread_mutex_lock(&certificates->lock);
	there = held->there;
	certificate.about = held->about;
	certificate.life = certificate_held_life(held);
	certificate.own = held->own;
	snprintf(problem, sizeof(problem), "%s", held->problem);
	pthread_mutex_unlock(&certificates->lock);
	certificate.problem = problem[0] != '\0' ? problem : NULL;
	return there && certificate_is_wanted(telling->front, number) ? telling->each(telling->argument, &certificate)
								      : 0;
}

int front_certificates(struct front *front, int (*each)(void *argument, const struct front_certificate *certificate),
		       void *argument, struct err *err)
{
	struct telling telling = { front, each, argument };
	const char *roots = authorities_now(front)->roots;
	int rc = certificate_each(roots, strlen(roots), tell_root, &telling, err);

	for (size_t i = 0; rc == 0 && i < CERTIFICATE_USES; i++)
		rc = tell_use(&telling, (enum certificate_use)i);
	return rc;
}
