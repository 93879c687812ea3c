/* A connection of an agent to the manager, byte by byte: for what no proper client would do. */
#ifndef MUSTER_TEST_MANAGER_LINE_H
#define MUSTER_TEST_MANAGER_LINE_H

#include <openssl/ssl.h>

#include "agent.h"

struct line {
	int fd;
	SSL_CTX *context;
	SSL *ssl;
};

/* With the agent's certificate and key. */
SSL_CTX *line_context(const struct agent *agent, const SSL_METHOD *method);
/* Reads on it end after a minute. */
void line_patience(int fd);
/* Connects and shakes hands; the test fails if that does not come about. */
void line_open(struct line *line, const struct agent *agent);
/* The same; false if the other side does not let it in. */
bool line_try(struct line *line, const struct agent *agent);
void line_say(struct line *line, const char *headers, const void *body, size_t size);
/* Everything until the other side closes; the test fails if that does not come. */
void line_end(struct line *line, char *said, size_t capacity);
void line_done(struct line *line);

#endif
