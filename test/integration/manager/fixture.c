/* A real manager in a temporary directory. */
#include "fixture.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S     60
#define LOG_MAX_BYTES  ((size_t)64 * 1024 * 1024)
#define BODY_MAX_BYTES ((size_t)16 * 1024 * 1024)

static void give_up(struct fixture *fixture, const char *what)
{
	pthread_mutex_lock(&fixture->lock);
	fprintf(stderr, "--- the manager's log\n%s---\n", buf_text(&fixture->log));
	pthread_mutex_unlock(&fixture->lock);
	fail_msg("%s", what);
}

/* --- programs --- */

static void program_path(const char *program, char *path, size_t capacity)
{
	const char *directory = getenv("MUSTER_BIN");

	if (directory == NULL)
		fail_msg("MUSTER_BIN must name the directory of the programs");
	snprintf(path, capacity, "%s/%s", directory, program);
}

static pid_t spawn(const char *path, char *const *arguments, int *ret_fd)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		execv(path, arguments);
		_exit(127);
	}
	assert_true(pid > 0);
	close(ends[1]);
	*ret_fd = ends[0];
	return pid;
}

static int exit_code(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void read_all(int fd, struct buf *out)
{
	char piece[4096];
	ssize_t count;

	while ((count = read(fd, piece, sizeof(piece))) > 0) {
		if (out != NULL)
			buf_append(out, piece, (size_t)count);
	}
	close(fd);
}

int fixture_program(struct buf *out, const char *program, ...)
{
	char path[4096], *arguments[32] = { path };
	va_list rest;
	size_t count = 1;
	pid_t pid;
	int fd;

	program_path(program, path, sizeof(path));
	va_start(rest, program);
	while (count < 31 && (arguments[count] = va_arg(rest, char *)) != NULL)
		count++;
	va_end(rest);
	pid = spawn(path, arguments, &fd);
	read_all(fd, out);
	return exit_code(pid);
}

/* --- the log --- */

static void *reader_main(void *argument)
{
	struct fixture *fixture = argument;
	char piece[4096];
	ssize_t count;

	while ((count = read(fixture->log_fd, piece, sizeof(piece))) > 0) {
		pthread_mutex_lock(&fixture->lock);
		buf_append(&fixture->log, piece, (size_t)count);
		pthread_cond_broadcast(&fixture->grown);
		pthread_mutex_unlock(&fixture->lock);
	}
	pthread_mutex_lock(&fixture->lock);
	fixture->ended = true;
	pthread_cond_broadcast(&fixture->grown);
	pthread_mutex_unlock(&fixture->lock);
	return NULL;
}

static unsigned count_in_log(const struct fixture *fixture, const char *text)
{
	unsigned count = 0;

	for (const char *at = buf_text(&fixture->log); (at = strstr(at, text)) != NULL; at++)
		count++;
	return count;
}

unsigned fixture_log_count(struct fixture *fixture, const char *text)
{
	unsigned count;

	pthread_mutex_lock(&fixture->lock);
	count = count_in_log(fixture, text);
	pthread_mutex_unlock(&fixture->lock);
	return count;
}

void fixture_log_wait(struct fixture *fixture, const char *text, unsigned count)
{
	struct timespec until;
	bool there;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&fixture->lock);
	while (!(there = count_in_log(fixture, text) >= count) && !fixture->ended && rc == 0)
		rc = pthread_cond_timedwait(&fixture->grown, &fixture->lock, &until);
	pthread_mutex_unlock(&fixture->lock);
	if (!there) {
		fprintf(stderr, "the log does not say %u times: %s\n", count, text);
		give_up(fixture, "the manager did not get there");
	}
}

pid_t fixture_role(struct fixture *fixture, const char *role)
{
	char text[128];
	const char *last = NULL;
	long pid = 0;

	snprintf(text, sizeof(text), "\"event\":\"supervisor.role_started\",\"which\":\"%s\",\"pid\":", role);
	pthread_mutex_lock(&fixture->lock);
	for (const char *at = buf_text(&fixture->log); (at = strstr(at, text)) != NULL; at++)
		last = at;
	if (last != NULL)
		pid = strtol(last + strlen(text), NULL, 10);
	pthread_mutex_unlock(&fixture->lock);
	assert_true(pid > 0);
	return (pid_t)pid;
}

/* --- life --- */

static uint16_t free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static char *read_text(const char *path)
{
	struct buf text;
	size_t size;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	buf_init(&text, BODY_MAX_BYTES);
	read_all(fd, &text);
	return (char *)buf_take(&text, &size);
}

void fixture_init(struct fixture *fixture)
{
	char listen[32], path[128];
	struct buf out;

	*fixture = (struct fixture){ .log_fd = -1 };
	pthread_mutex_init(&fixture->lock, NULL);
	pthread_cond_init(&fixture->grown, NULL);
	buf_init(&fixture->log, LOG_MAX_BYTES);
	snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/muster-manager-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	chmod(fixture->directory, 0755); /* the roles have users of their own */
	snprintf(fixture->data, sizeof(fixture->data), "%s/data", fixture->directory);
	snprintf(fixture->settings, sizeof(fixture->settings), "%s/manager.ini", fixture->data);
	fixture->port = free_port();
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", (unsigned)fixture->port);
	buf_init(&out, BODY_MAX_BYTES);
	if (fixture_program(&out, "muster-manager", "init", "--data", fixture->data, "--listen", listen, "--name",
			    "localhost", "-o", "json", NULL) != 0)
		fail_msg("init: %s", buf_text(&out));
	fixture->made = json_loads(buf_text(&out), 0, NULL);
	assert_non_null(fixture->made);
	buf_done(&out);
	snprintf(path, sizeof(path), "%s/ca.pem", fixture->data);
	fixture->ca_pem = read_text(path);
}

void fixture_set(struct fixture *fixture, const char *lines)
{
	int fd = open(fixture->settings, O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, lines, strlen(lines)), strlen(lines));
	close(fd);
}

void fixture_run(struct fixture *fixture)
{
	char path[4096];
	char *arguments[] = { path, (char *)(uintptr_t) "run", (char *)(uintptr_t) "--data", fixture->data, NULL };

	program_path("muster-manager", path, sizeof(path));
	fixture->ended = false;
	fixture->pid = spawn(path, arguments, &fixture->log_fd);
	assert_int_equal(pthread_create(&fixture->reader, NULL, reader_main, fixture), 0);
}

/* Runs, and gets the token. */
static void begin(struct fixture *fixture)
{
	struct buf token;

	fixture_run(fixture);
	fixture_log_wait(fixture, "\"front.started\"", 1);
	buf_init(&token, sizeof(fixture->token) - 1);
	assert_int_equal(fixture_program(&token, "muster-manager", "token", "--data", fixture->data, NULL), 0);
	snprintf(fixture->token, sizeof(fixture->token), "%s", buf_text(&token));
	fixture->token[strcspn(fixture->token, "\n")] = '\0';
	buf_done(&token);
}

void fixture_start(struct fixture *fixture, const char *lines)
{
	signal(SIGPIPE, SIG_IGN);
	fixture_init(fixture);
	if (lines != NULL)
		fixture_set(fixture, lines);
	begin(fixture);
}

int fixture_wait(struct fixture *fixture)
{
	int code = exit_code(fixture->pid);

	fixture->pid = 0;
	pthread_join(fixture->reader, NULL);
	close(fixture->log_fd);
	return code;
}

int fixture_stop(struct fixture *fixture)
{
	kill(fixture->pid, SIGTERM);
	return fixture_wait(fixture);
}

static int remove_entry(const char *path, const struct stat *facts, int type, struct FTW *where)
{
	(void)facts;
	(void)type;
	(void)where;
	return remove(path);
}

void fixture_end(struct fixture *fixture)
{
	if (fixture->pid != 0)
		fixture_stop(fixture);
	nftw(fixture->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	json_decref(fixture->made);
	free(fixture->ca_pem);
	buf_done(&fixture->log);
}

void fixture_finish(struct fixture *fixture)
{
	assert_int_equal(fixture_stop(fixture), 0);
	fixture_end(fixture);
}

/* --- HTTP --- */

static size_t take_body(char *data, size_t size, size_t count, void *argument)
{
	return buf_append(argument, data, size * count) == 0 ? size * count : 0;
}

static void set_certificate(CURL *curl, const struct call *call)
{
	struct curl_blob certificate = { .data = (void *)(uintptr_t)call->certificate, .flags = CURL_BLOB_COPY };
	struct curl_blob key = { .data = (void *)(uintptr_t)call->key, .flags = CURL_BLOB_COPY };

	if (call->certificate == NULL)
		return;
	certificate.len = strlen(call->certificate);
	key.len = strlen(call->key);
	curl_easy_setopt(curl, CURLOPT_SSLCERT_BLOB, &certificate);
	curl_easy_setopt(curl, CURLOPT_SSLCERTTYPE, "PEM");
	curl_easy_setopt(curl, CURLOPT_SSLKEY_BLOB, &key);
	curl_easy_setopt(curl, CURLOPT_SSLKEYTYPE, "PEM");
}

static struct curl_slist *make_headers(const struct call *call)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	char line[256];

	if (call->content_type != NULL) {
		snprintf(line, sizeof(line), "Content-Type: %s", call->content_type);
		headers = curl_slist_append(headers, line);
	}
	if (call->token != NULL) {
		snprintf(line, sizeof(line), "Authorization: Bearer %s", call->token);
		headers = curl_slist_append(headers, line);
	}
	if (call->header != NULL)
		headers = curl_slist_append(headers, call->header);
	return headers;
}

static void set_request(CURL *curl, const struct fixture *fixture, const struct call *call, const char *url,
			struct answer *answer)
{
	struct curl_blob ca = { .data = fixture->ca_pem, .len = strlen(fixture->ca_pem), .flags = CURL_BLOB_COPY };

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &ca);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)PATIENCE_S);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->body);
	if (call->body != NULL) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->size);
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
	set_certificate(curl, call);
}

void fixture_call(struct fixture *fixture, const struct call *call, struct answer *answer)
{
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = make_headers(call);
	curl_off_t retry = 0;
	char url[512];

	*answer = (struct answer){ 0 };
	buf_init(&answer->body, BODY_MAX_BYTES);
	snprintf(url, sizeof(url), "https://localhost:%u%s", (unsigned)fixture->port, call->path);
	set_request(curl, fixture, call, url, answer);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (curl_easy_perform(curl) == CURLE_OK) {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
		curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry);
		answer->retry_after = (long)retry;
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
}

void answer_done(struct answer *answer)
{
	buf_done(&answer->body);
}

json_t *fixture_api(struct fixture *fixture, const char *method, const char *path, const char *body, long status)
{
	const struct call call = {
		.method = method,
		.path = path,
		.content_type = body != NULL ? "application/json" : NULL,
		.body = body,
		.size = body != NULL ? strlen(body) : 0,
		.token = fixture->token,
	};
	struct answer answer;
	json_t *json;

	fixture_call(fixture, &call, &answer);
	if (answer.status != status) {
		fprintf(stderr, "%s %s: %ld, expected %ld: %s\n", method, path, answer.status, status,
			buf_text(&answer.body));
		give_up(fixture, "the API answered otherwise");
	}
	json = json_loadb(buf_text(&answer.body), answer.body.size, 0, NULL);
	answer_done(&answer);
	return json;
}

size_t fixture_count(struct fixture *fixture, const char *path)
{
	json_t *json = fixture_api(fixture, "GET", path, NULL, 200);
	size_t count = json_array_size(json_object_get(json, "items"));

	json_decref(json);
	return count;
}
