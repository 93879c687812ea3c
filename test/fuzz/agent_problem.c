/* A manager's refusal as an agent shows it, and what people type as a manager's
 * address. The first byte is the status. */
#include <string.h>

#include "agent/manager_url.h"
#include "agent/problem.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_shown(const char *text)
{
	for (; *text != '\0'; text++)
		require((unsigned char)*text >= ' ' && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { 0 };
	struct manager_url url;
	char address[2048];

	if (size == 0)
		return 0;
	require(problem_error("the manager refused", 400 + data[0], "application/problem+json", data + 1, size - 1,
			      &err) == err.code);
	require(err.code != 0 && err.text[0] != '\0');
	check_shown(err.text);
	snprintf(address, sizeof(address), "%.*s", (int)(size < sizeof(address) ? size - 1 : sizeof(address) - 1),
		 (const char *)data + 1);
	if (manager_url_parse(address, &url, NULL) == 0)
		require(url.port != 0 && url.host[0] != '\0' && strnlen(url.host, sizeof(url.host)) < sizeof(url.host));
	return 0;
}
