/* What records are made of: inner header of records.c and records_write.c. */
#ifndef MUSTER_MANAGER_FRONT_RECORDS_PARTS_H
#define MUSTER_MANAGER_FRONT_RECORDS_PARTS_H

#include "alerts/alerts.h"
#include "manager/front/records.h"

struct record_event {
	struct uuid id;
	uint64_t number; /* 0: made by the manager */
	uint64_t mark;
	time_us time;
	uint32_t type;
	char *fields;
	bool says; /* about an alert: */
	struct alert_fact fact;
};

struct record_command {
	struct uuid id;
	enum command_state state;
	time_us time;
	char *progress; /* NULL: unchanged */
	char *result;   /* NULL: unchanged */
};

struct record_item {
	struct uuid id;
	void *path;
	size_t path_size;
	uint8_t sha256[SHA256_BYTES];
	uint64_t size;
	char *detection;
	time_us quarantined;
	const char *state;
};

struct record_host {
	char *name, *os, *kernel, *architecture, *agent_version, *addresses;
	uint32_t listen_port, direction;
	struct uuid machine; /* zeroes: none */
};

struct records {
	const struct env *env;
	struct uuid computer;
	time_us received;
	uint64_t previous, last;
	size_t repeated_count, fresh_count; /* of events, in this order; those of the manager follow */
	struct record_event *events;
	size_t event_count;
	struct record_command *commands;
	size_t command_count;
	struct record_item *items;
	size_t item_count;
	bool has_computer, has_host;
	struct fleet_computer row;
	struct record_host host;
	Muster__Wire__Component *const *components; /* lives as long as the exchange; read while writing */
	size_t component_count;
	bool components_full;
	char *configuration_error; /* NULL: unchanged */
	char *link_error;          /* the same */

	struct uuid wanted[RECORDS_WANTED_MAX];
	size_t wanted_count;
	struct front_news *news;
	size_t news_count;
	struct records_count count;
};

#endif
