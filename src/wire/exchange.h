/* Messages between agent and manager: checked decoding and encoding.
 *
 * Decoding takes bytes from outside: size limit, protobuf-c into an arena with
 * a maximum, then the rules of wire/rules.c (lengths, counts, ids of 16 bytes,
 * UTF-8, ranges) and what concerns a message as a whole (protocol version,
 * ascending event numbers, parts that must be there). What comes out needs no
 * further check of shape. Text may hold control characters: show it through
 * text_escape(). Nothing here blocks or asks the world.
 *
 *   Muster__Wire__Report *report;
 *   struct arena *arena;
 *   status = exchange_report_decode(bytes, size, &report, &arena, err);
 *   ... arena_free(arena);      frees the report with everything in it
 *
 * Errors name the field ("report.events[3].fields[0].name: 70 bytes, at most
 * 64"): ERR_LIMIT too large or too many, ERR_FORMAT not decodable or of wrong
 * shape, ERR_RANGE a number or order outside its range, ERR_VERSION another
 * protocol, ERR_MEMORY.
 */
#ifndef MUSTER_WIRE_EXCHANGE_H
#define MUSTER_WIRE_EXCHANGE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "exchange.pb-c.h"
#include "wire/arena.h"
#include "wire/limits.h"

/* On success *ret_message lives in *ret_arena, which the caller frees. On failure neither is written. */
int exchange_report_decode(const void *bytes, size_t size, Muster__Wire__Report **ret_message, struct arena **ret_arena,
			   struct err *err);
int exchange_reply_decode(const void *bytes, size_t size, Muster__Wire__Reply **ret_message, struct arena **ret_arena,
			  struct err *err);
int exchange_enrol_request_decode(const void *bytes, size_t size, Muster__Wire__EnrolRequest **ret_message,
				  struct arena **ret_arena, struct err *err);
int exchange_enrol_reply_decode(const void *bytes, size_t size, Muster__Wire__EnrolReply **ret_message,
				struct arena **ret_arena, struct err *err);
int exchange_manager_proof_decode(const void *bytes, size_t size, Muster__Wire__ManagerProof **ret_message,
				  struct arena **ret_arena, struct err *err);
int exchange_renew_request_decode(const void *bytes, size_t size, Muster__Wire__RenewRequest **ret_message,
				  struct arena **ret_arena, struct err *err);
int exchange_renew_reply_decode(const void *bytes, size_t size, Muster__Wire__RenewReply **ret_message,
				struct arena **ret_arena, struct err *err);
/* Signed: only after its envelope was verified (wire/envelope.h), or by who is asked to sign it. */
int exchange_signed_decode(const void *bytes, size_t size, Muster__Wire__Signed **ret_message, struct arena **ret_arena,
			   struct err *err);
int exchange_envelope_decode(const void *bytes, size_t size, Muster__Wire__Envelope **ret_message,
			     struct arena **ret_arena, struct err *err);
int exchange_key_succession_decode(const void *bytes, size_t size, Muster__Wire__KeySuccession **ret_message,
				   struct arena **ret_arena, struct err *err);

/* Appends the packed message to out after the same checks: what a receiver
 * would refuse is found at its sender. Errors as above; also out's own. */
int exchange_report_encode(const Muster__Wire__Report *message, struct buf *out, struct err *err);
int exchange_reply_encode(const Muster__Wire__Reply *message, struct buf *out, struct err *err);
int exchange_enrol_request_encode(const Muster__Wire__EnrolRequest *message, struct buf *out, struct err *err);
int exchange_enrol_reply_encode(const Muster__Wire__EnrolReply *message, struct buf *out, struct err *err);
int exchange_manager_proof_encode(const Muster__Wire__ManagerProof *message, struct buf *out, struct err *err);
int exchange_renew_request_encode(const Muster__Wire__RenewRequest *message, struct buf *out, struct err *err);
int exchange_renew_reply_encode(const Muster__Wire__RenewReply *message, struct buf *out, struct err *err);
int exchange_signed_encode(const Muster__Wire__Signed *message, struct buf *out, struct err *err);
int exchange_envelope_encode(const Muster__Wire__Envelope *message, struct buf *out, struct err *err);
int exchange_key_succession_encode(const Muster__Wire__KeySuccession *message, struct buf *out, struct err *err);

/* A decoded id field; its size has been checked. */
struct uuid exchange_uuid(const ProtobufCBinaryData *field);
/* A field that points to the bytes given, for building messages. */
ProtobufCBinaryData exchange_bytes(const void *bytes, size_t size);

#endif
