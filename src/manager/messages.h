/* What the manager's roles may say to each other (os/channel.h).
 *
 *   supervisor -> keys, courier, hypervisor   ATTACH with one end of a channel to front; STOP
 *   supervisor -> front           ATTACH (keys), ATTACH_COURIER, ATTACH_HYPERVISOR; STOP
 *   each -> supervisor            READY; BROKEN: the role it is connected with (front: keys) broke the rules, end it
 *   front -> supervisor           BROKEN_COURIER, BROKEN_HYPERVISOR
 *   front -> keys                 SIGN, SIGN_AGAIN, CERTIFY, CERTIFY_MANAGER, CERTIFY_SERVER, KEYS, CREATE_KEY,
 *                                 IMPORT_KEY, BACK_UP, RESTORE, PROVE, AUTHORITIES, PREPARE_AUTHORITY,
 *                                 TURN_AUTHORITY, DROP_AUTHORITIES, KEY_FILES, WRITE_KEY_FILES
 *   keys -> front                 SIGNED, CERTIFIED, KEYS_ARE, BACKED_UP, RESTORED, AUTHORITIES_ARE, KEY_FILES_ARE,
 *                                 REFUSED
 *   keys -> supervisor            PUBLIC_KEY, ROOTS: what DIR/server-authentication.pub and DIR/ca.pem are to hold;
 *                                 OPEN_KEY: a file of its own that it may not read
 *   supervisor -> keys            KEY_FILE: opened
 *   front -> courier              DELIVER (courier/delivery.h)
 *   courier -> front              DELIVERED, REFUSED
 *   front -> hypervisor           WATCH (hypervisor/hypervisor_messages.h)
 *   hypervisor -> front           MACHINES, LINK
 *
 * A table a receiver; any other type ends the peer. Each side treats what it
 * receives as hostile: the other role may have been taken over.
 */
#ifndef MUSTER_MANAGER_MESSAGES_H
#define MUSTER_MANAGER_MESSAGES_H

#include "base/buf.h"
#include "base/hex.h"
#include "base/pack.h"
#include "os/channel.h"
#include "trust/authorities.h"
#include "trust/backup.h"
#include "wire/proof.h"

enum message_type {
	MESSAGE_ATTACH = 1,
	MESSAGE_STOP = 2,
	MESSAGE_READY = 3,
	MESSAGE_BROKEN = 4,
	MESSAGE_ATTACH_COURIER = 5,
	MESSAGE_BROKEN_COURIER = 6,
	MESSAGE_ATTACH_HYPERVISOR = 7,
	MESSAGE_BROKEN_HYPERVISOR = 8,
	MESSAGE_SIGN = 10,
	MESSAGE_CERTIFY = 11,
	MESSAGE_SIGNED = 12,
	MESSAGE_CERTIFIED = 13,
	MESSAGE_REFUSED = 14,
	MESSAGE_CERTIFY_MANAGER = 15, /* as CERTIFY, for the manager itself: its payload is the request */
	MESSAGE_CERTIFY_SERVER = 16,  /* one more certificate with the names of one that we have */
	MESSAGE_PUBLIC_KEY = 17,      /* the raw public key */
	MESSAGE_SIGN_AGAIN = 18,      /* as SIGN, of orders that another key signed: they were issued before */
	MESSAGE_DELIVER = 20,
	MESSAGE_DELIVERED = 21,
	MESSAGE_WATCH = 30,
	MESSAGE_MACHINES = 31,
	MESSAGE_LINK = 32,
	MESSAGE_KEYS = 40, /* which key is present? */
	MESSAGE_KEYS_ARE = 41,
	MESSAGE_CREATE_KEY = 42,
	MESSAGE_IMPORT_KEY = 43,
	MESSAGE_BACK_UP = 44,
	MESSAGE_BACKED_UP = 45, /* the file */
	MESSAGE_RESTORE = 46,
	MESSAGE_RESTORED = 47,
	MESSAGE_PROVE = 48,       /* that we have the key, over one connection; answered as SIGN */
	MESSAGE_AUTHORITIES = 50, /* which are there? */
	MESSAGE_AUTHORITIES_ARE = 51,
	MESSAGE_PREPARE_AUTHORITY = 52, /* one that is to follow the issuing one */
	MESSAGE_TURN_AUTHORITY = 53,    /* it issues from now on */
	MESSAGE_DROP_AUTHORITIES = 54,  /* those that ended before the moment named */
	MESSAGE_ROOTS = 55,             /* what DIR/ca.pem is to hold */
	MESSAGE_KEY_FILES = 56,         /* are the keys' files as they should be? */
	MESSAGE_KEY_FILES_ARE = 57,
	MESSAGE_WRITE_KEY_FILES = 58, /* anew, those that are not */
	MESSAGE_OPEN_KEY = 59,        /* which: a byte, enum kept_key */
	MESSAGE_KEY_FILE = 60,        /* with the descriptor, for reading; the same byte */
};

#define MESSAGE_SIGN_MAX_BYTES        WIRE_SIGNED_MAX_BYTES
#define MESSAGE_REQUEST_MAX_BYTES     WIRE_REQUEST_MAX_BYTES
#define MESSAGE_CERTIFICATE_MAX_BYTES (16 * 1024) /* of PEM with its NUL */
#define MESSAGE_SIGNATURE_BYTES       64
#define MESSAGE_ORDERS_MAX            WIRE_BATCH_MAX /* signed together */
#define MESSAGE_KEYS_MAX_BYTES        (2 + ENVELOPE_KEY_BYTES + 4 + SUCCESSION_MAX_BYTES)
#define MESSAGE_PROVE_BYTES           (1 + PROOF_CHANNEL_BYTES)
#define MESSAGE_CREATE_KEY_BYTES      (1 + 8)
#define MESSAGE_PRIVATE_KEY_MAX_BYTES 4096 /* PEM */
#define MESSAGE_AUTHORITIES_BYTES     8    /* asked */
#define MESSAGE_KEY_FILES_MAX_BYTES   (KEPT_KEYS * (1 + 4 + ERR_TEXT_BYTES))

/* The keys that the keys role has in files; kept_key_files has their names below the data directory. */
enum kept_key { KEPT_KEY_AUTHORITY, KEPT_KEY_SERVER, KEPT_KEYS };
extern const char *const kept_key_files[KEPT_KEYS];

struct message_table {
	const struct channel_permit *permits;
	size_t count;
};
extern const struct message_table messages_from_front;      /* to the supervisor */
extern const struct message_table messages_from_keys;       /* to the supervisor */
extern const struct message_table messages_from_courier;    /* to the supervisor */
extern const struct message_table messages_from_hypervisor; /* to the supervisor */
extern const struct message_table messages_from_supervisor;
extern const struct message_table messages_asked_of_keys;
extern const struct message_table messages_answered_by_keys;
extern const struct message_table messages_asked_of_courier;
extern const struct message_table messages_answered_by_courier;
extern const struct message_table messages_asked_of_hypervisor;
extern const struct message_table messages_answered_by_hypervisor;

struct message_certify {
	struct uuid computer;
	struct bytes request; /* PKCS#10 in DER; points into the message */
};
struct message_certify_server {
	struct bytes request;     /* points into the message */
	struct bytes certificate; /* whose names it gets: PEM; likewise */
};
/* Payloads to sign, one or several; they point into the message. */
struct message_sign {
	size_t count;
	struct bytes payloads[MESSAGE_ORDERS_MAX];
};
/* One signature for all of them, as wire/envelope.h says. */
struct message_signed {
	uint8_t key[SHA256_BYTES];
	uint8_t signature[MESSAGE_SIGNATURE_BYTES];
};
/* The server authentication key that is present, and the succession by which it came to be. */
struct message_keys {
	bool has_key, followed;
	uint8_t public_key[ENVELOPE_KEY_BYTES];
	struct succession by; /* if followed */
};
/* What keys does not know of a proof; authority and key are its own. */
struct message_prove {
	enum proof_side side;
	uint8_t channel[PROOF_CHANNEL_BYTES];
};
struct message_create_key {
	bool succeed;   /* the present key signs the next one */
	uint64_t known; /* serial of the last succession that is stored; 0: none */
};
/* A key that a person brought. Secret: wipe the message. */
struct message_import_key {
	struct message_create_key create; /* succeed: if there is a present key */
	bool force;                       /* over one that is present */
	struct bytes pem;                 /* points into the message */
};
/* What of a backup keys does not know by itself. */
struct message_back_up {
	char password[BACKUP_PASSWORD_MAX + 1]; /* wipe */
	char name[BACKUP_NAME_MAX_BYTES + 1];
	uint16_t agent_port;
	uint64_t policy_revision, command_serial;
	size_t step_count;
	struct succession steps[BACKUP_SUCCESSIONS_MAX];
};
struct message_restore {
	char password[BACKUP_PASSWORD_MAX + 1]; /* wipe */
	bool force;                             /* over another key that is present */
	uint64_t known;                         /* as in CREATE_KEY */
	struct bytes file;                      /* points into the message */
};
/* What is not secret of the backup that was restored. */
struct message_restored {
	struct message_keys keys;
	bool authority; /* its certificate authorities, which were missing, were taken back, too */
	time_us made;
	size_t step_count;
	struct succession steps[BACKUP_SUCCESSIONS_MAX];
};
/* The certificate authorities, as ca.pem has them (trust/authorities.h). */
struct message_authorities {
	bool has_next;            /* the second root is to follow the first one */
	char why[ERR_TEXT_BYTES]; /* there are none: "", or the cause; then there is no pem */
	char pem[AUTHORITIES_MAX_BYTES];
};
struct message_key_files {
	struct {
		bool held;                /* it is in memory */
		char why[ERR_TEXT_BYTES]; /* "": so it is in its file; else what is wrong there */
	} items[KEPT_KEYS];
};
struct message_refused {
	int code; /* enum err_code, negative */
	char text[ERR_TEXT_BYTES];
};

/* Encoders append to out; its sticky status tells. Decoders return 0 or ERR_FORMAT, ERR_LIMIT. */
/* The payloads together, with 4 bytes each, must fit MESSAGE_SIGN_MAX_BYTES. */
void message_pack_sign(struct buf *out, const struct bytes *payloads, size_t count);
int message_unpack_sign(const void *data, size_t size, struct message_sign *ret_sign);
void message_pack_certify(struct buf *out, const struct message_certify *certify);
int message_unpack_certify(const void *data, size_t size, struct message_certify *ret_certify);
void message_pack_certify_server(struct buf *out, const struct message_certify_server *certify);
int message_unpack_certify_server(const void *data, size_t size, struct message_certify_server *ret_certify);
void message_pack_signed(struct buf *out, const struct message_signed *answer);
int message_unpack_signed(const void *data, size_t size, struct message_signed *ret_answer);
void message_pack_keys(struct buf *out, const struct message_keys *keys);
int message_unpack_keys(const void *data, size_t size, struct message_keys *ret_keys);
void message_pack_prove(struct buf *out, const struct message_prove *prove);
int message_unpack_prove(const void *data, size_t size, struct message_prove *ret_prove);
void message_pack_create_key(struct buf *out, const struct message_create_key *create);
int message_unpack_create_key(const void *data, size_t size, struct message_create_key *ret_create);
void message_pack_import_key(struct buf *out, const struct message_import_key *import);
int message_unpack_import_key(const void *data, size_t size, struct message_import_key *ret_import);
void message_pack_back_up(struct buf *out, const struct message_back_up *back_up);
int message_unpack_back_up(const void *data, size_t size, struct message_back_up *ret_back_up);
void message_pack_restore(struct buf *out, const struct message_restore *restore);
int message_unpack_restore(const void *data, size_t size, struct message_restore *ret_restore);
void message_pack_restored(struct buf *out, const struct message_restored *restored);
int message_unpack_restored(const void *data, size_t size, struct message_restored *ret_restored);
void message_pack_authorities(struct buf *out, bool has_next, const struct buf *pem);
void message_pack_no_authorities(struct buf *out, const char *why);
int message_unpack_authorities(const void *data, size_t size, struct message_authorities *ret_authorities);
void message_pack_key_files(struct buf *out, const struct message_key_files *files);
int message_unpack_key_files(const void *data, size_t size, struct message_key_files *ret_files);
/* WRITE_KEY_FILES; force: what others have put there is set aside. */
void message_pack_force(struct buf *out, bool force);
int message_unpack_force(const void *data, size_t size, bool *ret_force);
/* The moment of DROP_AUTHORITIES; the others say it too. */
void message_pack_ended(struct buf *out, time_us ended);
int message_unpack_ended(const void *data, size_t size, time_us *ret_ended);
/* pem needs MESSAGE_CERTIFICATE_MAX_BYTES. */
void message_pack_certified(struct buf *out, const char *pem);
int message_unpack_certified(const void *data, size_t size, char *pem);
void message_pack_refused(struct buf *out, const struct err *err);
int message_unpack_refused(const void *data, size_t size, struct message_refused *ret_refused);

#endif
