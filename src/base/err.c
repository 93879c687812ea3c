/* The table of error codes and the sentence they travel with. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const err_names[] = {
	[-ERR_NONE] = "none",           [-ERR_MEMORY] = "memory",
	[-ERR_LIMIT] = "limit",         [-ERR_FORMAT] = "format",
	[-ERR_RANGE] = "range",         [-ERR_UNKNOWN] = "unknown",
	[-ERR_NOT_FOUND] = "not_found", [-ERR_EXISTS] = "exists",
	[-ERR_WRONG_STATE] = "state",   [-ERR_DENIED] = "denied",
	[-ERR_UNTRUSTED] = "untrusted", [-ERR_EXPIRED] = "expired",
	[-ERR_REPLAYED] = "replayed",   [-ERR_TIMEOUT] = "timeout",
	[-ERR_CANCELLED] = "cancelled", [-ERR_CLOSED] = "closed",
	[-ERR_BUSY] = "busy",           [-ERR_IO] = "io",
	[-ERR_SPACE] = "space",         [-ERR_RESOLVE] = "resolve",
	[-ERR_CONNECT] = "connect",     [-ERR_TLS] = "tls",
	[-ERR_CLOCK] = "clock",         [-ERR_VERSION] = "version",
	[-ERR_REFUSED] = "refused",     [-ERR_USAGE] = "usage",
	[-ERR_CONFLICT] = "conflict",   [-ERR_INTERNAL] = "internal",
};
_Static_assert(sizeof(err_names) / sizeof(err_names[0]) == 1 - ERR_LAST_, "every code has a name");

static const struct {
	int errno_value;
	int code;
} err_from_errno[] = {
	{ ENOENT, ERR_NOT_FOUND },    { ENOTDIR, ERR_NOT_FOUND },    { EEXIST, ERR_EXISTS },
	{ ENOMEM, ERR_MEMORY },       { EACCES, ERR_DENIED },        { EPERM, ERR_DENIED },
	{ ENOSPC, ERR_SPACE },        { EDQUOT, ERR_SPACE },         { ETIMEDOUT, ERR_TIMEOUT },
	{ EPIPE, ERR_CLOSED },        { ECONNRESET, ERR_CLOSED },    { ECONNREFUSED, ERR_CONNECT },
	{ ENETUNREACH, ERR_CONNECT }, { EHOSTUNREACH, ERR_CONNECT }, { EADDRINUSE, ERR_BUSY },
	{ EBUSY, ERR_BUSY },          { EFBIG, ERR_LIMIT },
};

static int code_of_errno(int errno_value)
{
	for (size_t i = 0; i < sizeof(err_from_errno) / sizeof(err_from_errno[0]); i++) {
		if (err_from_errno[i].errno_value == errno_value)
			return err_from_errno[i].code;
	}
	return ERR_IO;
}

int(err_set)(struct err *err, int code, const char *format, ...)
{
	va_list arguments;

	if (err == NULL)
		return code;
	err->code = code;
	va_start(arguments, format);
	vsnprintf(err->text, sizeof(err->text), format, arguments);
	va_end(arguments);
	return code;
}

int(err_errno)(struct err *err, int errno_value, const char *format, ...)
{
	int code = code_of_errno(errno_value);
	char context[ERR_TEXT_BYTES / 2];
	char words[128];
	va_list arguments;

	if (err == NULL)
		return code;
	va_start(arguments, format);
	vsnprintf(context, sizeof(context), format, arguments);
	va_end(arguments);
	err->code = code;
	snprintf(err->text, sizeof(err->text), "%s: %s", context, strerror_r(errno_value, words, sizeof(words)));
	return code;
}

int(err_add)(struct err *err, int code, const char *format, ...)
{
	char context[ERR_TEXT_BYTES / 2];
	char before[ERR_TEXT_BYTES];
	va_list arguments;

	if (err == NULL)
		return code;
	va_start(arguments, format);
	vsnprintf(context, sizeof(context), format, arguments);
	va_end(arguments);
	memcpy(before, err->text, sizeof(before));
	before[sizeof(before) - 1] = '\0';
	/* A sentence that outgrows its room loses its end; the code stays. */
	if (snprintf(err->text, sizeof(err->text), "%s: %s", context, before) < 0)
		err->text[0] = '\0';
	return err->code;
}

const char *err_name(int code)
{
	if (code > 0 || code < ERR_LAST_)
		return "internal";
	return err_names[-code];
}
