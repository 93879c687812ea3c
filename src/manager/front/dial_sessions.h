/* TLS sessions of agents that were dialled, to be resumed by the next dial (doc/decisions/0009).
 *
 * One a computer, 0.85 KB with its place here; at most as many as it was made for, those beyond are met with
 * a full handshake. In memory alone: a manager that starts begins without. The dialler's thread only.
 */
#ifndef MUSTER_MANAGER_FRONT_DIAL_SESSIONS_H
#define MUSTER_MANAGER_FRONT_DIAL_SESSIONS_H

#include <stddef.h>

#include "base/env.h"
#include "base/hex.h"
#include "net/tls_session.h"

struct dial_sessions;

struct dial_sessions *dial_sessions_new(const struct env *env, size_t most); /* NULL: no memory */
void dial_sessions_free(struct dial_sessions *sessions);                     /* accepts NULL */
/* The computer's, which is the caller's from now on and no longer here; NULL: none that can be resumed. */
struct tls_session *dial_sessions_take(struct dial_sessions *sessions, const struct uuid *computer);
/* Instead of what the computer had. The session is no longer the caller's; NULL does nothing. */
void dial_sessions_keep(struct dial_sessions *sessions, const struct uuid *computer, struct tls_session *session);
/* All: the certificate that they were made with is another now. */
void dial_sessions_clear(struct dial_sessions *sessions);
/* Those that can be resumed no more. */
void dial_sessions_sweep(struct dial_sessions *sessions);
size_t dial_sessions_count(const struct dial_sessions *sessions);

#endif
