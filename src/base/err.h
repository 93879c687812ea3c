/* Errors: a code from one table and a sentence that grows on its way up.
 *
 * A function that can fail returns 0 or a negative `enum err_code`, and takes
 * `struct err *err` last. The place that notices writes the cause with
 * err_set(); each caller on the way up may put its own context in front with
 * err_add(), so that the top prints "enrol at https://…: connect: refused".
 * `err` may be NULL wherever it is taken. Nothing here allocates or blocks.
 */
#ifndef MUSTER_BASE_ERR_H
#define MUSTER_BASE_ERR_H

/* Codes are stable names (err_name) that reach logs and problem+json. */
enum err_code {
	ERR_NONE = 0,
	ERR_MEMORY = -1,  /* allocation failed */
	ERR_LIMIT = -2,   /* larger than a named limit */
	ERR_FORMAT = -3,  /* bytes that do not decode */
	ERR_RANGE = -4,   /* a value outside its range */
	ERR_UNKNOWN = -5, /* a name nobody knows */
	ERR_NOT_FOUND = -6,
	ERR_EXISTS = -7,
	ERR_WRONG_STATE = -8, /* not allowed in the present state */
	ERR_DENIED = -9,      /* the caller may not */
	ERR_UNTRUSTED = -10,  /* signature, certificate or MAC does not verify */
	ERR_EXPIRED = -11,
	ERR_REPLAYED = -12,
	ERR_TIMEOUT = -13,
	ERR_CANCELLED = -14,
	ERR_CLOSED = -15,   /* the peer is gone */
	ERR_BUSY = -16,     /* in use, or a queue is full; try later */
	ERR_IO = -17,       /* the system said no; the text holds errno's words */
	ERR_SPACE = -18,    /* no room on disk */
	ERR_RESOLVE = -19,  /* a host name that does not resolve */
	ERR_CONNECT = -20,  /* TCP connection refused or unreachable */
	ERR_TLS = -21,      /* handshake failed for another cause than trust */
	ERR_CLOCK = -22,    /* not of the present: a certificate not valid yet or any more, an order's stamp */
	ERR_VERSION = -23,  /* the peer speaks a version we do not */
	ERR_REFUSED = -24,  /* the peer understood and said no */
	ERR_USAGE = -25,    /* command line */
	ERR_CONFLICT = -26, /* somebody else changed it first */
	ERR_INTERNAL = -27,
	ERR_LAST_ = -27,
};

#define ERR_TEXT_BYTES 512

struct err {
	int code;
	char text[ERR_TEXT_BYTES];
};

/* Starts a sentence: stores code and text, returns code. */
int err_set(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* err_set() for a failed system call: maps errno_value to a code (ENOENT to
 * ERR_NOT_FOUND, ENOSPC and EDQUOT to ERR_SPACE, EACCES and EPERM to
 * ERR_DENIED, …, else ERR_IO) and appends its words. */
int err_errno(struct err *err, int errno_value, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the present text; returns the present code, or
 * `code` unchanged when err is NULL. */
int err_add(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#ifdef MUSTER_ANALYSIS
/* The contract above, where the analysers of scripts/analyse can see it. */
#define err_set(err, code, ...)          ((void)(err_set)(err, code, __VA_ARGS__), (code))
#define err_errno(err, errno_value, ...) ((void)(err_errno)(err, errno_value, __VA_ARGS__), ERR_IO)
#define err_add(err, code, ...)          ((void)(err_add)(err, code, __VA_ARGS__), (code))
#endif

/* "not_found" for ERR_NOT_FOUND; "internal" for a number not in the table. */
const char *err_name(int code);

#endif
