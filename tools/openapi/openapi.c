/* Writes the OpenAPI document that the tables of the API make, or checks that a
 * file holds it: `openapi > doc/openapi.json`, `openapi --check doc/openapi.json`. */
#include "manager/api/openapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check(const char *path, const char *document)
{
	size_t size = strlen(document);
	char *text = malloc(size + 2);
	FILE *file = fopen(path, "re");
	int same = 0;

	if (file != NULL && text != NULL)
		same = fread(text, 1, size + 2, file) == size && memcmp(text, document, size) == 0;
	if (file != NULL)
		fclose(file);
	free(text);
	if (same) {
		puts("[  PASSED  ] 1 test(s).");
		return 0;
	}
	fprintf(stderr, "%s is stale: run build/tools/openapi/openapi > %s\n", path, path);
	return 1;
}

int main(int argc, char **argv)
{
	char *document = openapi_document();
	int status = document == NULL;

	if (document != NULL && argc == 3 && strcmp(argv[1], "--check") == 0)
		status = check(argv[2], document);
	else if (document != NULL && argc == 1)
		fputs(document, stdout);
	else
		status = 2;
	free(document);
	return status;
}
