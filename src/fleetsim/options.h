/* The command line of muster-fleet-sim. Input: what a person typed. */
#ifndef MUSTER_FLEETSIM_OPTIONS_H
#define MUSTER_FLEETSIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/manager_url.h"
#include "base/units.h"
#include "wire/directions.h"

#define OPTIONS_AGENTS_MAX  1000000
#define OPTIONS_THREADS_MAX 64

struct options {
	struct manager_url server;
	const char *ca_file;
	const char *token;
	bool api_token; /* an enrolment token is made with it */
	unsigned agents;
	unsigned threads;
	span_us heartbeat;
	bool heartbeat_given; /* the policy does not change it */
	span_us poll;         /* 0: held polls, or what the policy says */
	span_us duration;     /* 0: until a signal */
	unsigned ramp;        /* agents a second */
	unsigned events;      /* a second, all agents together; 0: none */
	enum link_direction direction;
	unsigned listen_port; /* 0: as enrolment says */
	bool scans;
	bool fan_out;
	const char *identities; /* file; NULL: agents are enrolled anew and forgotten */
	bool json;
	bool help, version;
};

/* ERR_USAGE with a sentence that names the option. Strings point into argv. */
int options_parse(int argc, char **argv, struct options *ret_options, struct err *err);
void options_help(FILE *out);

#endif
