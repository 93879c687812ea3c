/* Ports as people look at them: who connects to whom, on which port, what for,
 * which setting says so, and whether somebody is there now.
 *
 * A row is filled by whoever knows the settings in force; ports_try() finds out
 * how it stands by connecting, all rows at once. Names of hosts come from settings.
 */
#ifndef MUSTER_NET_PORTS_H
#define MUSTER_NET_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/units.h"

#define PORT_HOST_BYTES 256
#define PORT_TEXT_BYTES 480

enum port_state {
	PORT_NOT_TRIED,
	PORT_OFF,         /* by the settings: nobody is to be there */
	PORT_LISTENING,   /* of this computer */
	PORT_SILENT,      /* of this computer: nobody listens */
	PORT_REACHABLE,   /* of another computer */
	PORT_UNREACHABLE, /* detail says why */
	PORT_STATES
};

struct port_row {
	const char *from, *to; /* in words */
	const char *protocol;  /* "HTTPS"; "syslog (UDP)" */
	const char *purpose;
	const char *setting;        /* that decides it, "[network] listen" */
	char name[PORT_HOST_BYTES]; /* of what it is, for several of a kind; "" */
	char host[PORT_HOST_BYTES]; /* where it is: name or numeric address, "" if not known */
	uint16_t port;              /* 0: not known */
	bool here;                  /* one of this computer's own listeners */
	bool datagrams; /* a refusal can be seen, a listener cannot: PORT_NOT_TRIED then, and detail says so */
	enum port_state state;
	char detail[PORT_TEXT_BYTES];
};

/* "not tried", "off", "listening", "not listening", "reachable", "unreachable" */
const char *port_state_name(enum port_state state);
/* Connects to each row with host and port that is not off, and sets state and detail. An address of
 * all (0.0.0.0, ::) is tried on the loopback. Blocks: for names as long as the resolver takes, then
 * for all rows together as long as `patience` says. */
void ports_try(struct port_row *rows, size_t count, span_us patience);
/* Host and port out of SCHEME://[USER@]HOST[:PORT][/...]. usual: the port where
 * none stands. False: no host stands there. */
bool ports_of_url(const char *url, uint16_t usual, char host[PORT_HOST_BYTES], uint16_t *ret_port);

#endif
