/* agent.ini for guard (agent/settings_message.h). */
#include "agent/settings_message.h"

#include <stdlib.h>

#include "agent/path_list.h"
#include "agent/schedule.h"
#include "agent/users.h"

static int take_paths(const char *text, const char *name, struct message_paths *paths, struct err *err)
{
	int rc = path_list_parse(text, paths, err);

	return rc ? err_add(err, rc, "agent.ini: %s", name) : 0;
}

int settings_message(const struct settings *settings, struct message_settings *ret_message, struct err *err)
{
	*ret_message = (struct message_settings){
		.limits = { .file_bytes_max = (uint64_t)settings->max_file_bytes,
			    .expanded_bytes_max = (uint64_t)settings->max_unpacked_bytes,
			    .file_ms_max = (uint32_t)(settings->max_file_time / MILLISECOND_US) },
		.workers = (uint32_t)settings->workers,
		.idle_exit_s = (uint32_t)(settings->engine_idle / SECOND_US),
		.cpu_percent = (uint32_t)settings->cpu_limit_percent,
	};
	return take_paths(settings->exclude_paths, "[scan] exclude_paths", &ret_message->excludes, err);
}

/* The file's own exclusions and local limits must agree. */
static int check_paths(const struct settings *settings, struct message_paths *lists, struct err *err)
{
	int rc = take_paths(settings->exclude_paths, "[scan] exclude_paths", &lists[0], err);

	if (rc == 0)
		rc = take_paths(settings->never_exclude, "[local] never_exclude", &lists[1], err);
	if (rc == 0 && (rc = path_list_excludes_none_of(&lists[0], &lists[1], err)) != 0)
		err_add(err, rc, "agent.ini: [scan] exclude_paths");
	if (rc == 0)
		rc = take_paths(settings->never_delete, "[local] never_delete", &lists[0], err);
	return rc;
}

int settings_problems(const struct settings *settings, struct buf *problems)
{
	struct message_paths *lists = calloc(2, sizeof(*lists));
	struct err causes[3] = { 0 };
	struct schedule schedule;
	struct agent_users users;
	int count = 0;

	if (schedule_parse(settings->schedule, &schedule, &causes[0]) != 0)
		err_add(&causes[0], causes[0].code, "agent.ini: [scan] schedule");
	if (lists == NULL)
		err_set(&causes[1], ERR_MEMORY, "out of memory");
	else
		check_paths(settings, lists, &causes[1]);
	users_resolve(settings, &users, &causes[2]);
	free(lists);
	for (size_t i = 0; i < COUNT_OF(causes); i++) {
		if (causes[i].code == 0)
			continue;
		buf_printf(problems, "%s\n", causes[i].text);
		count++;
	}
	return count;
}
