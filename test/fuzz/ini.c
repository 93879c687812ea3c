/* conf/conf.h: settings files. What is accepted must be written and read back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

struct settings {
	struct conf_addresses listen;
	int64_t number, size;
	span_us span;
	char *text, *path;
	int choice;
	bool boolean;
};

#define ROW(key, type, flags, min, max, choices, initial)                                                              \
	{                                                                                                              \
		"s", #key, "Old" #key, type, flags, offsetof(struct settings, key), min, max, choices, initial,        \
		    "Help."                                                                                            \
	}

static const struct conf_row rows[] = {
	ROW(listen, CONF_LISTEN, 0, 0, 0, NULL, "[::]:1"),
	ROW(number, CONF_NUMBER, CONF_MAY_BE_UNLIMITED, 1, 64, NULL, "4"),
	ROW(size, CONF_SIZE, 0, 0, 0, NULL, "5MB"),
	ROW(span, CONF_SPAN, 0, 0, 0, NULL, "10s"),
	ROW(text, CONF_TEXT, 0, 0, 64, NULL, ""),
	ROW(path, CONF_PATH, 0, 0, 0, NULL, "/x"),
	ROW(choice, CONF_CHOICE, 0, 0, 0, "a bb ccc", "bb"),
	ROW(boolean, CONF_BOOLEAN, 0, 0, 0, NULL, "no"),
};
static const struct conf_table table = { "fuzz", "fuzz.ini", rows, COUNT_OF(rows), sizeof(struct settings) };

static void check_round_trip(const struct settings *settings, struct buf *problems)
{
	struct settings again;
	struct buf first, second;

	buf_init(&first, CONF_FILE_BYTES);
	buf_init(&second, CONF_FILE_BYTES);
	conf_write_text(&table, settings, &first);
	conf_init(&table, &again, NULL);
	if (conf_read_text(&table, "again", buf_text(&first), first.size, &again, problems, NULL) != 0)
		abort();
	conf_write_text(&table, &again, &second);
	if (strcmp(buf_text(&first), buf_text(&second)) != 0)
		abort();
	conf_done(&table, &again);
	buf_done(&first);
	buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings settings;
	struct buf problems;

	buf_init(&problems, CONF_PROBLEMS_BYTES);
	if (conf_init(&table, &settings, NULL) != 0)
		abort();
	if (conf_read_text(&table, "fuzz.ini", data, size, &settings, &problems, NULL) == 0)
		check_round_trip(&settings, &problems);
	conf_done(&table, &settings);
	buf_done(&problems);
	return 0;
}
