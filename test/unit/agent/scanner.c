/* The scan program as guard sees it, when it cannot be started. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/guard/scanner.h"
#include "os/env.h"

static void note_changed(void *context)
{
	++*(unsigned *)context;
}

/* This test's only child; 0 when this kernel does not list children. */
static pid_t only_child(void)
{
	FILE *list = fopen("/proc/thread-self/children", "re");
	int pid = 0;

	if (list == NULL)
		return 0;
	if (fscanf(list, "%d", &pid) != 1)
		pid = 0;
	fclose(list);
	return pid;
}

/* Guard ends then, and the next one goes on with the scan: it must not have failed meanwhile. */
static void a_starter_that_is_gone_is_no_failure_of_the_engine(void **state)
{
	static const char *const arguments[] = { NULL };
	const struct starter_program programs[STARTER_ROLES] = {
		{ "/bin/true", arguments, -1 },
		{ "/bin/true", arguments, -1 },
	};
	const struct scanner_hooks hooks = { .changed = note_changed };
	struct starter_report report;
	struct starter *starter;
	struct scanner *scanner;
	unsigned changes = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(starter_new(programs, &starter, NULL), 0);
	pid = only_child();
	if (pid == 0) {
		starter_free(starter);
		skip();
	}
	assert_int_equal(scanner_new(env_system(), starter, &hooks, &changes, &scanner, NULL), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (starter_receive(starter, &report, NULL) == ERR_BUSY)
		poll(&(struct pollfd){ .fd = starter_fd(starter), .events = POLLIN }, 1, -1);
	scanner_want(scanner, true);
	assert_int_equal(scanner_state(scanner), SCANNER_OFF);
	assert_int_equal(changes, 0);
	scanner_free(scanner);
	starter_free(starter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_starter_that_is_gone_is_no_failure_of_the_engine),
	};

	return cmocka_run_group_tests_name("unit/agent/scanner", tests, NULL, NULL);
}
