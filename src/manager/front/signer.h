/* Front's side of the keys role: ask for a signature or a certificate and wait.
 *
 * One request is under way at a time (a signature takes some tens of
 * microseconds). A keys role that dies is replaced by the supervisor, which
 * hands over a new channel; a request that was under way is asked again, which
 * is harmless since keys remembers nothing (but for a key to be made). Safe from any worker thread; never
 * from a loop's thread. What keys answers is checked like outside input.
 */
#ifndef MUSTER_MANAGER_FRONT_SIGNER_H
#define MUSTER_MANAGER_FRONT_SIGNER_H

#include "base/buf.h"
#include "base/env.h"
#include "manager/messages.h"

struct signer;

/* broken() is called when keys sent what it may not. */
struct signer *signer_new(const struct env *env, void (*broken)(void *argument), void *argument, struct err *err);
void signer_free(struct signer *signer); /* accepts NULL */
/* A new channel to keys; fd is the signer's from now on. Any thread; does not wait. */
void signer_attach(struct signer *signer, int fd);
/* Requests that wait end with ERR_CLOSED, and so do later ones. */
void signer_stop(struct signer *signer);

/* Signs a packed Signed and appends the whole packed Envelope to out.
 * ERR_TIMEOUT: keys did not answer within 10 s; else the refusal of keys. */
int signer_envelope(struct signer *signer, const void *payload, size_t size, struct buf *out, struct err *err);
/* Several at once: all, or none. outs[i] is for payloads[i]. */
int signer_envelopes(struct signer *signer, const struct bytes *payloads, size_t count, struct buf *const *outs,
		     struct err *err);
/* The same for orders that another key has signed before: issued some time ago. */
int signer_envelopes_again(struct signer *signer, const struct bytes *payloads, size_t count, struct buf *const *outs,
			   struct err *err);

/* That this manager has the key, over one connection: ret_signature is over proof_message() with the key that is
 * present and the CA's fingerprint. */
int signer_prove(struct signer *signer, const struct message_prove *prove, struct message_signed *ret_signed,
		 struct err *err);

/* Which server authentication key is present. */
int signer_keys(struct signer *signer, struct message_keys *ret_keys, struct err *err);
/* Has another one made, once: what was asked and not answered is not asked again. ERR_CONFLICT: front does not know
 * the last succession. */
int signer_create_key(struct signer *signer, const struct message_create_key *create, struct message_keys *ret_keys,
		      struct err *err);

/* Which certificate authorities there are; or, once, what else trust/authorities.h can do with them, by type. */
int signer_authorities(struct signer *signer, uint16_t type, time_us ended, struct message_authorities *ret_authorities,
		       struct err *err);

/* Are the keys' files as they should be? The latter has those written that are not. */
int signer_key_files(struct signer *signer, struct message_key_files *ret_files, struct err *err);
int signer_write_key_files(struct signer *signer, bool force, struct message_key_files *ret_files, struct err *err);

/* Errors as in keys/server_key.h. The latter two take a second or more. */
int signer_import_key(struct signer *signer, const struct message_import_key *import, struct message_keys *ret_keys,
		      struct err *err);
int signer_back_up(struct signer *signer, const struct message_back_up *back_up, struct buf *out, struct err *err);
int signer_restore(struct signer *signer, const struct message_restore *restore, struct message_restored *ret_restored,
		   struct err *err);

/* pem needs MESSAGE_CERTIFICATE_MAX_BYTES. */
int signer_certify(struct signer *signer, const struct uuid *computer, const void *request, size_t size, char *pem,
		   struct err *err);

/* One more certificate for the listener: request's key, the names of certificate (PEM), which keys has signed before.
 */
int signer_certify_server(struct signer *signer, struct bytes request, const char *certificate, char *pem,
			  struct err *err);

/* The manager's own certificate for dialling agents. */
int signer_certify_manager(struct signer *signer, const void *request, size_t size, char *pem, struct err *err);

#endif
