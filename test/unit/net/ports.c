/* Addresses out of URLs, and ports that are tried: open, closed, off, unknown. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/ports.h"
#include "net/server.h"

static void hosts_and_ports_are_found(void **state)
{
	static const struct {
		const char *url, *host; /* NULL: none is found */
		uint16_t port;
	} cases[] = {
		{ "https://example.org", "example.org", 7 },
		{ "https://example.org/a:1", "example.org", 7 },
		{ "tls://siem.example.org:6514", "siem.example.org", 6514 },
		{ "qemu+ssh://root@host:2222/system", "host", 2222 },
		{ "https://[2001:db8::1]:8443/x", "2001:db8::1", 8443 },
		{ "https://[::1]", "::1", 7 },
		{ "https://a?b:9", "a", 7 },
		{ "qemu:///system", NULL, 0 },
		{ "https://:1", NULL, 0 },
		{ "https://a:", NULL, 0 },
		{ "https://a:0", NULL, 0 },
		{ "https://a:65536", NULL, 0 },
		{ "https://a:123456789012", NULL, 0 },
		{ "nothing", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char host[PORT_HOST_BYTES] = "";
		uint16_t port = 0;
		bool found = ports_of_url(cases[i].url, 7, host, &port);

		if (found != (cases[i].host != NULL))
			fail_msg("%s", cases[i].url);
		if (!found)
			continue;
		assert_string_equal(host, cases[i].host);
		assert_int_equal(port, cases[i].port);
	}
}

static int listening(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static int taking_datagrams(uint16_t port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(port),
					     .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void rows_are_tried(void **state)
{
	struct port_row rows[] = {
		{ .host = "127.0.0.1", .here = true },
		{ .host = "0.0.0.0", .here = true },
		{ .host = "127.0.0.1" },
		{ .host = "127.0.0.1", .state = PORT_OFF },
		{ .host = "127.0.0.1", .datagrams = true },
		{ .host = "" },
		{ .host = "127.0.0.1" },
	};
	char text[32];
	uint16_t port;
	int fd = listening(&port), datagrams = taking_datagrams(port);
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		rows[i].port = port;
	rows[6].port = 0;
	ports_try(rows, COUNT_OF(rows), MINUTE_US);
	assert_int_equal(rows[0].state, PORT_LISTENING);
	assert_int_equal(rows[1].state, PORT_LISTENING);
	assert_int_equal(rows[2].state, PORT_REACHABLE);
	assert_int_equal(rows[3].state, PORT_OFF);
	for (size_t i = 4; i < COUNT_OF(rows); i++)
		assert_int_equal(rows[i].state, PORT_NOT_TRIED);
	assert_non_null(strstr(rows[4].detail, "cannot be known"));
	snprintf(text, sizeof(text), "127.0.0.1:%u", (unsigned)port);
	assert_int_equal(http_server_may_listen(text, &err), ERR_BUSY);
	close(fd);
	close(datagrams);
	ports_try(rows, COUNT_OF(rows), MINUTE_US);
	assert_int_equal(rows[0].state, PORT_SILENT);
	assert_int_equal(rows[2].state, PORT_UNREACHABLE);
	assert_string_equal(rows[2].detail, "Connection refused");
	assert_int_equal(rows[4].state, PORT_UNREACHABLE); /* nobody takes datagrams there either */
	assert_int_equal(http_server_may_listen(text, &err), 0);
	assert_int_equal(http_server_may_listen("192.0.2.1:80", &err), ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_and_ports_are_found),
		cmocka_unit_test(rows_are_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
