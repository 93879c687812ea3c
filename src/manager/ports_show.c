/* The table of ports, shown. Names are the administrators'. */
#include "manager/ports_show.h"

#include <string.h>

static json_t *row_json(const struct port_row *row)
{
	json_t *json =
	    json_pack("{ss, ss, ss, ss, ss, ss}", "from", row->from, "to", row->to, "protocol", row->protocol,
		      "purpose", row->purpose, "setting", row->setting, "state", port_state_name(row->state));

	json_object_set_new(json, "name", row->name[0] != '\0' ? json_string(row->name) : json_null());
	json_object_set_new(json, "address", row->host[0] != '\0' ? json_string(row->host) : json_null());
	json_object_set_new(json, "port", row->port != 0 ? json_integer(row->port) : json_null());
	json_object_set_new(json, "detail", json_string(row->detail));
	return json;
}

json_t *manager_ports_json(const struct manager_ports *ports)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ports->count; i++)
		json_array_append_new(list, row_json(&ports->rows[i]));
	return list;
}

void manager_ports_print(const struct manager_ports *ports, FILE *out)
{
	fprintf(out, "%-22s %-14s %-14s %-16s %5s  %-13s %s\n", "FROM", "TO", "PROTOCOL", "ADDRESS", "PORT", "STATE",
		"PURPOSE (SETTING)");
	for (size_t i = 0; i < ports->count; i++) {
		const struct port_row *row = &ports->rows[i];

		fprintf(out, "%-22s %-14s %-14s %-16s %5u  %-13s %s (%s)%s%s\n", row->from, row->to, row->protocol,
			row->host[0] != '\0' ? row->host : "-", (unsigned)row->port, port_state_name(row->state),
			row->purpose, row->setting, row->detail[0] != '\0' ? "; " : "", row->detail);
	}
}
