/* What ssh is given, what its words mean, and host keys by their fingerprint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/ssh.h"

/* Of a key made for this test: ssh-keygen -lf says so. */
#define KEY   "AAAAC3NzaC1lZDI1NTE5AAAAINuFXvnz3WWS1FCrpNOpxyYcDjU8gfTzXfLVbVEJHWvG"
#define OTHER "AAAAC3NzaC1lZDI1NTE5AAAAINuFXvnz3WWS1FCrpNOpxyYcDjU8gfTzXfLVbVEJHWvH"
#define PRINT "SHA256:5UPvg4qSqoZY/x1AAz9+DuDy6O/krCONMtnYf6XtWnE"

static bool has_option(const struct ssh_arguments *arguments, const char *option)
{
	for (size_t i = 1; i < arguments->count; i++) {
		if (strcmp(arguments->words[i], option) == 0 && strcmp(arguments->words[i - 1], "-o") == 0)
			return true;
	}
	return false;
}

static void host_keys_are_always_checked(void **state)
{
	struct ssh_target target = { .host = "web1", .command = "exec sh -s" };
	struct ssh_arguments arguments;

	(void)state;
	ssh_arguments(&target, &arguments);
	assert_true(has_option(&arguments, "StrictHostKeyChecking=yes"));
	assert_true(has_option(&arguments, "BatchMode=yes"));
	assert_true(has_option(&arguments, "ForwardAgent=no"));
	assert_string_equal(arguments.words[0], "ssh");
	assert_string_equal(arguments.words[arguments.count - 3], "--");
	assert_string_equal(arguments.words[arguments.count - 2], "web1");
	assert_string_equal(arguments.words[arguments.count - 1], "exec sh -s");
	assert_null(arguments.words[arguments.count]);
	target = (struct ssh_target){ .host = "web1",
				      .user = "root",
				      .port = "2222",
				      .known_hosts = "/a b/known",
				      .password = true,
				      .command = "exec sh -s" };
	ssh_arguments(&target, &arguments);
	assert_true(has_option(&arguments, "StrictHostKeyChecking=yes"));
	assert_true(has_option(&arguments, "UserKnownHostsFile=\"/a b/known\""));
	assert_true(has_option(&arguments, "GlobalKnownHostsFile=none"));
	assert_true(has_option(&arguments, "PubkeyAuthentication=no"));
	assert_true(has_option(&arguments, "NumberOfPasswordPrompts=1"));
	assert_false(has_option(&arguments, "BatchMode=yes"));
}

static void names_are_no_options(void **state)
{
	static const char *const bad[] = { "", "-oProxyCommand=id", "a b", "a;b", "a$b", "a/b", "a\n", "a@b" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_false(ssh_is_host(bad[i]));
		assert_false(ssh_is_user(bad[i]));
	}
	assert_true(ssh_is_host("web1.example.org"));
	assert_true(ssh_is_host("2001:db8::1"));
	assert_true(ssh_is_user("deploy-er_1"));
	assert_true(ssh_is_path("/home/a b/id"));
	assert_false(ssh_is_path("/home/%h/id"));
	assert_false(ssh_is_path("/home/\"x/id"));
}

static void failures_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(ssh_failure_of("Host key verification failed."), SSH_HOST_KEY);
	assert_int_equal(
	    ssh_failure_of("No ED25519 host key is known for [::1]:22 and you have requested strict checking."),
	    SSH_HOST_KEY);
	assert_int_equal(ssh_failure_of("root@h: Permission denied (publickey)."), SSH_DENIED);
	assert_int_equal(ssh_failure_of("ssh: connect to host h port 22: Connection refused"), SSH_UNREACHABLE);
	assert_int_equal(ssh_failure_of("ssh: Could not resolve hostname h: Name or service not known"),
			 SSH_UNREACHABLE);
	assert_int_equal(ssh_failure_of("==> Fetching"), SSH_FAILURES);
	assert_string_equal(ssh_failure_name(SSH_FAILURES), "broken");
	for (int i = 0; i <= SSH_FAILURES; i++)
		assert_true(strlen(ssh_failure_advice((enum ssh_failure)i)) > 0);
}

static void a_key_is_known_by_its_fingerprint(void **state)
{
	uint8_t fingerprint[SHA256_BYTES];
	struct err err = { 0 };
	struct buf lines;

	(void)state;
	assert_int_equal(ssh_fingerprint_parse(PRINT, fingerprint, NULL), 0);
	buf_init(&lines, 4096);
	assert_int_equal(ssh_known_hosts("# h:22 SSH-2.0\nh ssh-rsa !!!\nh\n\nh ssh-ed25519 " OTHER
					 "\nh ssh-ed25519 " KEY "\nh ssh-ed25519 " KEY " comment",
					 fingerprint, &lines, NULL),
			 0);
	assert_string_equal(buf_text(&lines), "h ssh-ed25519 " KEY "\nh ssh-ed25519 " KEY "\n");
	buf_reset(&lines);
	assert_int_equal(ssh_known_hosts("h ssh-ed25519 " OTHER "\n", fingerprint, &lines, &err), ERR_UNTRUSTED);
	assert_non_null(strstr(err.text, "SHA256:"));
	assert_int_equal(ssh_known_hosts("", fingerprint, &lines, &err), ERR_UNTRUSTED);
	assert_non_null(strstr(err.text, "none was offered"));
	assert_int_equal(lines.size, 0);
	buf_done(&lines);
}

/* A line is what its three words are to ssh as well: no other key comes in beside the one that was asked for. */
static void no_other_key_comes_along(void **state)
{
	static const char *const bad[] = {
		"h\tssh-ed25519\t" OTHER " x " KEY,
		"h ssh-ed25519\t" OTHER " " KEY,
		"@cert-authority * " KEY,
		"#h ssh-ed25519 " KEY,
		"h  " KEY,
		"h ssh-ed25519 \t" KEY,
		" h " KEY,
		"h\x01 ssh-ed25519 " KEY,
		"h ssh-ed25519 " KEY "=x",
		"h ssh-ed25519 " KEY "\t" OTHER,
	};
	uint8_t fingerprint[SHA256_BYTES];
	struct buf lines;

	(void)state;
	assert_int_equal(ssh_fingerprint_parse(PRINT, fingerprint, NULL), 0);
	buf_init(&lines, 4096);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(ssh_known_hosts(bad[i], fingerprint, &lines, NULL), ERR_UNTRUSTED);
		assert_int_equal(lines.size, 0);
	}
	assert_int_equal(ssh_known_hosts("h ssh-ed25519 " KEY "\r\n", fingerprint, &lines, NULL), 0);
	assert_string_equal(buf_text(&lines), "h ssh-ed25519 " KEY "\n");
	buf_done(&lines);
}

static void other_texts_are_no_fingerprints(void **state)
{
	static const char *const bad[] = {
		"",        "SHA256:", "MD5:00:11", "SHA256:abc", "SHA256:!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!",
		PRINT "=", PRINT "A"
	};
	uint8_t fingerprint[SHA256_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(ssh_fingerprint_parse(bad[i], fingerprint, NULL), ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_keys_are_always_checked), cmocka_unit_test(names_are_no_options),
		cmocka_unit_test(failures_are_told_apart),      cmocka_unit_test(a_key_is_known_by_its_fingerprint),
		cmocka_unit_test(no_other_key_comes_along),     cmocka_unit_test(other_texts_are_no_fingerprints),
	};

	return cmocka_run_group_tests_name("ssh", tests, NULL, NULL);
}
