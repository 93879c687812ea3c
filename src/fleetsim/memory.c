/* See memory.h. */
#include "fleetsim/memory.h"

static int read_nothing(void *context, const char *name, struct buf *out, struct err *err)
{
	(void)context;
	(void)name;
	(void)out;
	(void)err;
	return 0;
}

static int take(void *context, const char *name, const void *bytes, size_t size, struct err *err)
{
	(void)context;
	(void)name;
	(void)bytes;
	(void)size;
	(void)err;
	return 0;
}

static int sync(void *context, const char *name, struct err *err)
{
	(void)context;
	(void)name;
	(void)err;
	return 0;
}

struct endpoint_storage memory_storage(void)
{
	return (struct endpoint_storage){ .read = read_nothing, .append = take, .sync = sync, .replace = take };
}
