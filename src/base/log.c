/* JSON lines for the programs' log. */
#include "base/log.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"

#define LOG_LINE_MAX_BYTES (16 * 1024)

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static struct {
	const char *program;
	const char *role;
	time_us (*wall)(void);
	int fd;
	_Atomic int level;
} setup = { .program = "muster", .role = "main", .fd = 2, .level = LOG_INFO };

void log_setup(const char *program, const char *role, int fd, enum log_level level, time_us (*wall)(void))
{
	setup.program = program;
	setup.role = role;
	setup.fd = fd;
	setup.wall = wall;
	setup.level = (int)level;
}

void log_set_level(enum log_level level)
{
	setup.level = (int)level;
}

/* text_escape() leaves valid UTF-8 without control characters; its backslashes
 * and the quotes still need JSON's own escape. */
static void append_json_text(struct buf *line, const char *text)
{
	struct buf escaped;

	buf_init(&escaped, LOG_LINE_MAX_BYTES);
	text_escape(&escaped, text, strnlen(text, LOG_LINE_MAX_BYTES / 8));
	buf_append_byte(line, '"');
	for (const char *s = buf_text(&escaped); *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_append_byte(line, '\\');
		buf_append(line, s, 1);
	}
	buf_append_byte(line, '"');
	buf_done(&escaped);
}

static void append_field(struct buf *line, const struct log_field *field)
{
	char uuid[UUID_TEXT_BYTES];

	buf_printf(line, ",\"%s\":", field->name);
	switch (field->kind) {
	case LOG_KIND_NUMBER:
		buf_printf(line, "%lld", (long long)field->value.number);
		break;
	case LOG_KIND_UUID:
		uuid_format(field->value.uuid, uuid);
		append_json_text(line, uuid);
		break;
	case LOG_KIND_TEXT:
		append_json_text(line, field->value.text != NULL ? field->value.text : "");
		break;
	}
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
	char time[TIME_TEXT_BYTES] = "";
	struct buf line;

	if ((int)level > setup.level)
		return;
	if (setup.wall != NULL)
		time_format(setup.wall(), time);
	buf_init(&line, LOG_LINE_MAX_BYTES);
	buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%s\",\"role\":\"%s\",\"event\":\"%s\"", time,
		   level_names[level], setup.program, setup.role, event);
	for (size_t i = 0; i < count; i++)
		append_field(&line, &fields[i]);
	buf_append_text(&line, "}\n");
	/* A log that cannot be written has nobody to tell; the work goes on. */
	if (line.status == 0) {
		ssize_t written = write(setup.fd, line.data, line.size);
		(void)written;
	}
	buf_done(&line);
}
