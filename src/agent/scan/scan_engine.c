/* The engine. The files it is shown are hostile: it runs in a process without
 * rights, and what it says is used as a verdict only. */
#include "agent/scan/scan_engine.h"

#include <clamav.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/env.h"
#include "os/files.h"

#define DATABASE_FILES_MAX 4096
#define TINY_BYTES         5
#define LIMIT_NAME_PREFIX  "Heuristics.Limits.Exceeded"

/* Of a libclamav scan when neither job nor settings say otherwise. */
static const struct message_limits default_limits = {
	.file_bytes_max = 512 * MIB,
	.expanded_bytes_max = 1 * GIB,
	.archive_files_max = 10000,
	.archive_depth_max = 17,
	.file_ms_max = 120000,
};

struct scan_engine {
	struct cl_engine *engine;
};

static const char *const database_endings[] = {
	".cvd", ".cld", ".cud", ".hdb", ".hsb",  ".hdu", ".hsu",  ".mdb",  ".msb",  ".mdu", ".msu", ".ndb",
	".ndu", ".ldb", ".ldu", ".idb", ".fp",   ".sfp", ".ign",  ".ign2", ".pdb",  ".wdb", ".gdb", ".cdb",
	".cat", ".crb", ".ftm", ".yar", ".yara", ".cbc", ".pwdb", ".imp",  ".info", ".cfg",
};

static bool is_database(const char *name)
{
	const char *ending = strrchr(name, '.');

	if (ending == NULL || name[0] == '.')
		return false;
	for (size_t i = 0; i < COUNT_OF(database_endings); i++) {
		if (strcmp(ending, database_endings[i]) == 0)
			return true;
	}
	return false;
}

/* libclamav's own messages: errors and warnings would go to stderr as text. */
static void ignore_message(enum cl_msg severity, const char *full, const char *message, void *context)
{
	(void)severity;
	(void)full;
	(void)message;
	(void)context;
}

int scan_engine_init(struct err *err)
{
	cl_error_t code;

	/* A FIPS provider as the process default makes MD5 fail, and EICAR clean. */
	if (unsetenv("OPENSSL_CONF") != 0 || unsetenv("OPENSSL_MODULES") != 0 ||
	    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return err_set(err, ERR_INTERNAL, "OpenSSL does not start");
	cl_set_clcb_msg(ignore_message);
	code = cl_init(CL_INIT_DEFAULT);
	if (code != CL_SUCCESS)
		return err_set(err, ERR_INTERNAL, "libclamav: %s", cl_strerror(code));
	return 0;
}

struct database {
	char name[256];
	uint64_t size;
	int64_t modified_ns;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct database *)a)->name, ((const struct database *)b)->name);
}

/* All databases of the directory, ascending by name; free() them. */
static int list_databases(int directory, struct database **ret_list, size_t *ret_count, struct err *err)
{
	struct database *list = NULL;
	size_t count = 0;
	int code = 0;
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (stream == NULL) {
		code = err_errno(err, errno, "signature directory");
		if (fd >= 0)
			close(fd);
		return code;
	}
	for (struct dirent *entry = readdir(stream); entry != NULL && code == 0; entry = readdir(stream)) {
		struct database *grown;
		struct stat st;

		if (!is_database(entry->d_name) || fstatat(fd, entry->d_name, &st, 0) != 0 || !S_ISREG(st.st_mode))
			continue;
		grown = count < DATABASE_FILES_MAX ? reallocarray(list, count + 1, sizeof(*list)) : NULL;
		if (grown == NULL) {
			code = err_set(err, ERR_LIMIT, "too many signature files");
			break;
		}
		list = grown;
		list[count] = (struct database){ .size = (uint64_t)st.st_size,
						 .modified_ns = st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec };
		snprintf(list[count].name, sizeof(list[count].name), "%s", entry->d_name);
		count++;
	}
	closedir(stream);
	if (code == 0 && count == 0)
		code = err_set(err, ERR_NOT_FOUND, "there are no signatures in the signature directory");
	if (code != 0) {
		free(list);
		return code;
	}
	qsort(list, count, sizeof(*list), by_name);
	*ret_list = list;
	*ret_count = count;
	return 0;
}

int scan_engine_version(int directory, struct scan_version *ret_version, struct err *err)
{
	struct database *list = NULL;
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct buf text;
	size_t count = 0;
	int code = list_databases(directory, &list, &count, err);

	if (code != 0)
		return code;
	buf_init(&text, DATABASE_FILES_MAX * 512);
	pack_text(&text, cl_retver());
	for (size_t i = 0; i < count; i++) {
		pack_text(&text, list[i].name);
		pack_u64(&text, list[i].size);
		pack_u64(&text, (uint64_t)list[i].modified_ns);
	}
	free(list);
	if (text.status != 0 || EVP_Digest(text.data, text.size, digest, NULL, EVP_sha256(), NULL) != 1)
		code = err_set(err, ERR_INTERNAL, "signature version: no digest");
	buf_done(&text);
	if (code != 0)
		return code;
	memcpy(ret_version->tag, digest, SCAN_VERSION_BYTES);
	snprintf(ret_version->engine, sizeof(ret_version->engine), "%s", cl_retver());
	return 0;
}

/* EICAR (eicar.org), in two halves so that this program is not a detection itself. */
static int eicar_file(struct err *err)
{
	static const char first[] = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD";
	static const char second[] = "-ANTIVIRUS-TEST-FILE!$H+H*";
	int fd = memfd_create("self-test", MFD_CLOEXEC);
	int code;

	if (fd < 0)
		return err_errno(err, errno, "self-test file");
	code = files_write_all(fd, first, sizeof(first) - 1, err);
	if (code == 0)
		code = files_write_all(fd, second, sizeof(second) - 1, err);
	if (code == 0)
		return fd;
	close(fd);
	return code;
}

int scan_engine_self_test(struct scan_engine *engine, struct err *err)
{
	struct scan_verdict verdict;
	int fd = eicar_file(err);

	if (fd < 0)
		return fd;
	scan_engine_check(engine, fd, &verdict);
	close(fd);
	if (verdict.outcome != SCAN_INFECTED)
		return err_set(err, ERR_WRONG_STATE,
			       "self-test: the EICAR test file was not detected with these signatures");
	return 0;
}

/* Called for the file itself before anything inside it. */
static cl_error_t looked_at(int fd, const char *type, void *context)
{
	(void)fd;
	(void)type;
	*(bool *)context = true;
	return CL_CLEAN;
}

static int load(struct scan_engine *engine, const char *temporary, struct scan_loaded *loaded, struct err *err)
{
	unsigned signatures = 0;
	cl_error_t code;

	engine->engine = cl_engine_new();
	if (engine->engine == NULL)
		return err_set(err, ERR_MEMORY, "engine: no memory");
	cl_engine_set_clcb_pre_cache(engine->engine, looked_at);
	cl_engine_set_clcb_pre_scan(engine->engine, looked_at);
	code = cl_load(".", engine->engine, &signatures, CL_DB_STDOPT);
	if (code == CL_SUCCESS)
		code = cl_engine_compile(engine->engine);
	if (code != CL_SUCCESS)
		return err_set(err, ERR_FORMAT, "signatures could not be loaded: %s", cl_strerror(code));
	if (signatures == 0)
		return err_set(err, ERR_NOT_FOUND, "the signature files hold no signature");
	loaded->signatures = signatures;
	return scan_engine_limit(engine, &default_limits, temporary, err);
}

static void free_engine(struct scan_engine *engine)
{
	if (engine->engine != NULL)
		cl_engine_free(engine->engine);
	free(engine);
}

int scan_engine_load(const char *temporary, struct scan_engine **ret_engine, struct scan_loaded *ret_loaded,
		     struct err *err)
{
	struct scan_engine *engine = calloc(1, sizeof(*engine));
	time_us started = env_monotonic(env_system());
	struct err cause = { 0 };
	int code;

	*ret_loaded = (struct scan_loaded){ .failure = SCAN_LOAD_FAILED };
	code = engine != NULL ? scan_engine_version(AT_FDCWD, &ret_loaded->version, &cause)
			      : err_set(&cause, ERR_MEMORY, "engine: no memory");
	if (code == 0)
		code = load(engine, temporary, ret_loaded, &cause);
	if (code == 0) {
		ret_loaded->failure = SCAN_SELF_TEST_FAILED;
		code = scan_engine_self_test(engine, &cause);
	}
	ret_loaded->duration_us = (uint64_t)(env_monotonic(env_system()) - started);
	if (code != 0) {
		snprintf(ret_loaded->text, sizeof(ret_loaded->text), "%s", cause.text);
		if (engine != NULL)
			free_engine(engine);
		return err_set(err, code, "%s", cause.text);
	}
	ret_loaded->failure = SCAN_LOAD_FINE;
	*ret_engine = engine;
	return 0;
}

static uint64_t either(uint64_t value, uint64_t otherwise)
{
	return value != 0 ? value : otherwise;
}

int scan_engine_limit(struct scan_engine *engine, const struct message_limits *limits, const char *temporary,
		      struct err *err)
{
	const struct {
		enum cl_engine_field field;
		uint64_t value;
	} rows[] = {
		{ CL_ENGINE_MAX_FILESIZE, either(limits->file_bytes_max, default_limits.file_bytes_max) },
		{ CL_ENGINE_MAX_SCANSIZE, either(limits->expanded_bytes_max, default_limits.expanded_bytes_max) },
		{ CL_ENGINE_MAX_FILES, either(limits->archive_files_max, default_limits.archive_files_max) },
		{ CL_ENGINE_MAX_RECURSION, either(limits->archive_depth_max, default_limits.archive_depth_max) },
		{ CL_ENGINE_MAX_SCANTIME, either(limits->file_ms_max, default_limits.file_ms_max) },
		{ CL_ENGINE_DISABLE_CACHE, 1 }, /* guard keeps verdicts, with more to go by */
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cl_error_t code = cl_engine_set_num(engine->engine, rows[i].field, (long long)rows[i].value);

		if (code != CL_SUCCESS)
			return err_set(err, ERR_RANGE, "scan limit %zu: %s", i, cl_strerror(code));
	}
	if (cl_engine_set_str(engine->engine, CL_ENGINE_TMPDIR, temporary) != CL_SUCCESS)
		return err_set(err, ERR_INTERNAL, "temporary directory of the engine");
	return 0;
}

/* What a result means. A limit is never "clean" (spec 40-protection.md). */
static enum scan_outcome outcome_of(cl_error_t code, const char *name)
{
	switch (code) {
	case CL_CLEAN:
	case CL_BREAK:
	case CL_VERIFIED:
		return SCAN_CLEAN;
	case CL_VIRUS:
		return strncmp(name, LIMIT_NAME_PREFIX, strlen(LIMIT_NAME_PREFIX)) == 0 ? SCAN_NOT_FULLY
											: SCAN_INFECTED;
	case CL_ETIMEOUT:
	case CL_EMAXREC:
	case CL_EMAXSIZE:
	case CL_EMAXFILES:
		return SCAN_NOT_FULLY;
	default:
		return SCAN_UNREADABLE;
	}
}

/* libclamav does not look at these at all. */
static bool is_tiny(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size <= TINY_BYTES;
}

void scan_engine_check(struct scan_engine *engine, int fd, struct scan_verdict *ret_verdict)
{
	struct cl_scan_options options = {
		/* Unprivileged: it may not open the file by its name. */
		.general = CL_SCAN_GENERAL_HEURISTICS | CL_SCAN_GENERAL_UNPRIVILEGED,
		.parse = ~0U,
		.heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX,
	};
	time_us started = env_monotonic(env_system());
	const char *name = NULL;
	unsigned long scanned = 0;
	bool seen = false;
	cl_error_t code = cl_scandesc_callback(fd, NULL, &name, &scanned, engine->engine, &options, &seen);

	*ret_verdict = (struct scan_verdict){ .outcome = outcome_of(code, name != NULL ? name : "") };
	ret_verdict->duration_us = (uint64_t)(env_monotonic(env_system()) - started);
	/* Without a temporary directory (a full disk, say) libclamav 1.4 calls a file clean unseen. */
	if (ret_verdict->outcome == SCAN_CLEAN && !seen && !is_tiny(fd)) {
		ret_verdict->outcome = SCAN_UNREADABLE;
		snprintf(ret_verdict->name, sizeof(ret_verdict->name), "the engine did not look at it");
	} else if (ret_verdict->outcome != SCAN_CLEAN)
		snprintf(ret_verdict->name, sizeof(ret_verdict->name), "%s",
			 code == CL_VIRUS && name != NULL ? name : cl_strerror(code));
}
