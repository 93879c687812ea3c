/* manager.ini: one table of settings, and the struct it fills. */
#ifndef MUSTER_MANAGER_SETTINGS_H
#define MUSTER_MANAGER_SETTINGS_H

#include "base/log.h"
#include "conf/conf.h"

enum legacy_tls { LEGACY_TLS_REFUSED, LEGACY_TLS_ACCEPT_RISK };

#define SETTINGS_HTTPS_PORT 4343

struct settings {
	char *name;                           /* of this manager, in its certificate and URL */
	struct conf_addresses listen;         /* never empty once loaded */
	struct conf_addresses console_listen; /* with a certificate of their own; may be empty */
	int64_t https_port;                   /* 0: as listen says, or SETTINGS_HTTPS_PORT */
	int64_t http_port;                    /* nothing listens there */
	int enable_ssl;                       /* 0 */
	char *tls_profiles;                   /* manager/listening.h reads them */
	bool rsa_certificate;
	int legacy_tls; /* enum legacy_tls */
	int64_t agent_port;
	int64_t loops; /* 0: one a core */
	int64_t workers;
	int64_t connections;
	char *front_user;
	char *keys_user;
	char *courier_user;
	char *hypervisor_user;
	span_us hold; /* longest a poll is held */
	span_us clone_settle;
	int64_t return_rate; /* agents a second that come back after they lost the manager */
	span_us stop_grace;
	int64_t dial_concurrency;
	span_us dial_timeout;
	int64_t readers;
	span_us group_span;
	int64_t group_count;
	int64_t queue_count;
	int log_level; /* enum log_level */
};

extern const struct conf_table settings_table;

/* Defaults, then DIR/manager.ini over them. Problems, one a line, in `problems`. Blocks.
 * On success free with conf_done(&settings_table, settings). */
int settings_load(const char *data_directory, struct settings *settings, struct buf *problems, struct err *err);

#endif
