/* Which libvirt URIs are taken, and what libvirt gets to see of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/units.h"
#include "manager/hypervisor/hypervisor_uri.h"

static void taken_and_completed(void **state)
{
	static const char *const pairs[][2] = {
		{ "qemu:///system", "qemu:///system" },
		{ "qemu+unix:///system", "qemu:///system" },
		{ "xen:///system", "xen:///system" },
		{ "test:///default", "test:///default" },
		{ "test:///lab.xml", "test:///var/lib/a%20b/lab.xml" },
		{ "qemu://host.example/system", "qemu+tls://host.example/system?pkipath=/var/lib/a%20b" },
		{ "qemu+tls://10.0.0.1:16514/system", "qemu+tls://10.0.0.1:16514/system?pkipath=/var/lib/a%20b" },
		{ "qemu+tls://[fd00::1]:16514/system", "qemu+tls://[fd00::1]:16514/system?pkipath=/var/lib/a%20b" },
		{ "lxc+ssh://muster@[fd00::1]/system",
		  "lxc+libssh://muster@[fd00::1]/system?sshauth=privkey&known_hosts_verify=normal&keyfile=/var/lib/"
		  "a%20b/id&known_hosts=/var/lib/a%20b/known_hosts" },
		{ "qemu+ssh://muster@host:2222/system",
		  "qemu+libssh://muster@host:2222/system?sshauth=privkey&known_hosts_verify=normal&keyfile=/var/lib/"
		  "a%20b/id&known_hosts=/var/lib/a%20b/known_hosts" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(pairs); i++) {
		struct buf whole;

		assert_int_equal(hypervisor_uri_check(pairs[i][0], NULL), 0);
		buf_init(&whole, 4096);
		hypervisor_uri_compose(pairs[i][0], "/var/lib/a b", &whole);
		assert_int_equal(whole.status, 0);
		assert_string_equal(buf_text(&whole), pairs[i][1]);
		buf_done(&whole);
	}
}

static void refused_with_a_reason(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "kind of hypervisor" },
		{ "vbox:///session", "kind of hypervisor" },
		{ "qemu", "needs ://" },
		{ "qemu:/system", "needs ://" },
		{ "qemu:///session", "ends in /system" },
		{ "qemu:///embed?root=/tmp", "takes no options" },
		{ "qemu://", "ends in /system" },
		{ "qemu+ext://host/system?command=/bin/sh", "is reached by" },
		{ "qemu+tcp://host/system", "is reached by" },
		{ "qemu+ssh://u@host/system?command=/bin/sh", "takes no options" },
		{ "qemu+ssh://u@host/system#x", "takes no options" },
		{ "qemu+ssh://host/system", "names no user" },
		{ "qemu+ssh:///system", "names no host" },
		{ "qemu+ssh://u@/system", "names no host" },
		{ "qemu+ssh://-oProxy@host/system", "a user with letters" },
		{ "qemu+ssh://a b@host/system", "a user with letters" },
		{ "qemu+tls://u@host/system", "only +ssh needs" },
		{ "qemu+unix://host/system", "names no host" },
		{ "qemu+tls://host:0/system", "no such port" },
		{ "qemu+tls://host:99999/system", "no such port" },
		{ "qemu+tls://host:/system", "no such port" },
		{ "qemu+tls://ho st/system", "a host with letters" },
		{ "qemu+tls://[fd00::1/system", "a host with letters" },
		{ "qemu+tls://[]/system", "a host with letters" },
		{ "test://host/default", "names no host" },
		{ "test:///../keys/ca.key", "test:///NAME" },
		{ "test:///etc/passwd", "test:///NAME" },
		{ "test:///.hidden", "test:///NAME" },
		{ "test:///", "test:///NAME" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(pairs); i++) {
		struct err err = { 0 };
		struct buf whole;

		assert_int_equal(hypervisor_uri_check(pairs[i][0], &err), ERR_FORMAT);
		if (strstr(err.text, pairs[i][1]) == NULL)
			fail_msg("%s: %s", pairs[i][0], err.text);
		buf_init(&whole, 4096);
		hypervisor_uri_compose(pairs[i][0], "/d", &whole);
		assert_int_equal(whole.status, ERR_FORMAT);
		buf_done(&whole);
	}
}

static void longest(void **state)
{
	char uri[HYPERVISOR_URI_BYTES + 32] = "qemu+tls://";

	(void)state;
	memset(uri + strlen(uri), 'a', HYPERVISOR_URI_BYTES - strlen(uri) - strlen("/system") - 1);
	memcpy(uri + strlen(uri), "/system", sizeof("/system"));
	assert_int_equal(strlen(uri), HYPERVISOR_URI_BYTES - 1);
	assert_int_equal(hypervisor_uri_check(uri, NULL), 0);
	memcpy(uri + strlen(uri) - strlen("/system"), "a/system", sizeof("a/system"));
	assert_int_equal(hypervisor_uri_check(uri, NULL), ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_and_completed),
		cmocka_unit_test(refused_with_a_reason),
		cmocka_unit_test(longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
