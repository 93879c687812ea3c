/* Sample messages, as an agent and a manager would build them. */
#include "samples.h"

#include <string.h>

#include "wire/envelope.h"

const struct uuid sample_computer = { { 1, 2, 3, 4, 5, 6, 0x77, 8, 0x89, 10, 11, 12, 13, 14, 15, 16 } };

static const uint8_t id_a[UUID_BYTES] = { 0xa1, [15] = 1 };
static const uint8_t id_b[UUID_BYTES] = { 0xb2, [15] = 2 };
static const uint8_t hash[SHA256_BYTES] = { 0x5a, [31] = 0xa5 };
static const uint8_t signature[ENVELOPE_SIGNATURE_BYTES] = { 0x51, [63] = 0x15 };

static char *text(const char *literal)
{
	return (char *)exchange_bytes(literal, 0).data;
}

static ProtobufCBinaryData bytes_of(const char *literal)
{
	return exchange_bytes(literal, strlen(literal));
}

static Muster__Wire__Host *sample_host(void)
{
	static Muster__Wire__Host host;
	static char *addresses[2];

	muster__wire__host__init(&host);
	host.name = text("mail-1");
	host.os = text("Debian GNU/Linux 12");
	host.kernel = text("6.1.0-25-amd64");
	host.architecture = text("x86_64");
	host.agent_version = text("0.1.0");
	addresses[0] = text("192.0.2.17");
	addresses[1] = text("2001:db8::17");
	host.addresses = addresses;
	host.n_addresses = 2;
	host.listen_port = 34567;
	return &host;
}

static void sample_events(Muster__Wire__Report *report)
{
	static Muster__Wire__Field fields[2];
	static Muster__Wire__Field *field_list[2];
	static Muster__Wire__Event events[3];
	static Muster__Wire__Event *event_list[3];

	for (size_t i = 0; i < 2; i++) {
		muster__wire__field__init(&fields[i]);
		field_list[i] = &fields[i];
	}
	fields[0].name = text("path");
	fields[0].value = bytes_of("/srv/mail/new\nline\xff");
	fields[1].name = text("detection");
	fields[1].value = bytes_of("Eicar-Test-Signature");
	for (size_t i = 0; i < 3; i++) {
		muster__wire__event__init(&events[i]);
		events[i].number = 10 + i;
		events[i].time_us = INT64_C(1795294800000000) + (int64_t)i;
		events[i].type = 2000;
		events[i].mark = UINT64_C(0x8000000000000001) + i;
		events[i].fields = field_list;
		events[i].n_fields = 2;
		event_list[i] = &events[i];
	}
	report->events = event_list;
	report->n_events = 3;
	report->events_waiting = 3;
}

static void sample_components(Muster__Wire__Report *report)
{
	static Muster__Wire__Component__FactsEntry fact;
	static Muster__Wire__Component__FactsEntry *facts[1];
	static Muster__Wire__Component component;
	static Muster__Wire__Component *components[1];

	muster__wire__component__facts_entry__init(&fact);
	fact.key = text("signatures");
	fact.value = text("2");
	facts[0] = &fact;
	muster__wire__component__init(&component);
	component.name = text("scan");
	component.state = text("working");
	component.version = text("0.103.10");
	component.facts = facts;
	component.n_facts = 1;
	components[0] = &component;
	report->components = components;
	report->n_components = 1;
}

static void sample_command_states(Muster__Wire__Report *report)
{
	static Muster__Wire__Progress progress;
	static Muster__Wire__CommandState state;
	static Muster__Wire__CommandState *states[1];

	muster__wire__progress__init(&progress);
	progress.files_total = 4000;
	progress.files_done = 1700;
	progress.path = bytes_of("/usr/share/doc");
	muster__wire__command_state__init(&state);
	state.id = exchange_bytes(id_a, sizeof(id_a));
	state.state = MUSTER__WIRE__COMMAND_STATE__STATE__RUNNING;
	state.progress = &progress;
	states[0] = &state;
	report->commands = states;
	report->n_commands = 1;
}

static void sample_quarantine(Muster__Wire__Report *report)
{
	static Muster__Wire__QuarantineItem item;
	static Muster__Wire__QuarantineItem *items[1];

	muster__wire__quarantine_item__init(&item);
	item.id = exchange_bytes(id_b, sizeof(id_b));
	item.path = bytes_of("/srv/mail/eicar.com");
	item.sha256 = exchange_bytes(hash, sizeof(hash));
	item.size = 68;
	item.detection = text("Eicar-Test-Signature");
	item.quarantined_us = INT64_C(1795294800000000);
	items[0] = &item;
	report->quarantine = items;
	report->n_quarantine = 1;
}

Muster__Wire__Report *sample_report(void)
{
	static Muster__Wire__Report report;
	static Muster__Wire__Clock clock;
	static ProtobufCBinaryData keys[1];

	muster__wire__report__init(&report);
	report.protocol = WIRE_PROTOCOL;
	report.computer = exchange_bytes(sample_computer.bytes, UUID_BYTES);
	report.session = UINT64_MAX;
	report.sequence = 1;
	muster__wire__clock__init(&clock);
	clock.wall_us = INT64_C(1795294800000000);
	clock.monotonic_us = 5000000;
	clock.boot_id = exchange_bytes(id_a, sizeof(id_a));
	report.clock = &clock;
	report.configuration = exchange_bytes(hash, sizeof(hash));
	keys[0] = exchange_bytes(hash, sizeof(hash));
	report.trusted_keys = keys;
	report.n_trusted_keys = 1;
	report.full = 1;
	report.host = sample_host();
	report.hold_s = 300;
	sample_components(&report);
	sample_events(&report);
	sample_command_states(&report);
	sample_quarantine(&report);
	return &report;
}

Muster__Wire__Reply *sample_reply(void)
{
	static Muster__Wire__Reply reply;
	static Muster__Wire__Envelope envelope;
	static Muster__Wire__Envelope *envelopes[1];
	static ProtobufCBinaryData ids[2], path[1];

	muster__wire__envelope__init(&envelope);
	envelope.payload = bytes_of("any bytes: opened only after the signature");
	envelope.key = exchange_bytes(hash, sizeof(hash));
	envelope.signature = exchange_bytes(signature, sizeof(signature));
	envelope.index = 1;
	envelope.count = 2;
	envelope.path = path;
	envelope.n_path = 1;
	path[0] = exchange_bytes(hash, sizeof(hash));
	envelopes[0] = &envelope;
	ids[0] = exchange_bytes(id_a, sizeof(id_a));
	ids[1] = exchange_bytes(id_b, sizeof(id_b));
	muster__wire__reply__init(&reply);
	reply.protocol = WIRE_PROTOCOL;
	reply.acknowledged_event = 12;
	reply.highest_event = 15;
	reply.acknowledged_commands = ids;
	reply.n_acknowledged_commands = 2;
	reply.commands = envelopes;
	reply.n_commands = 1;
	reply.return_after_ms = 1000;
	reply.upload_quarantine = ids;
	reply.n_upload_quarantine = 2;
	return &reply;
}

Muster__Wire__EnrolRequest *sample_enrol_request(void)
{
	static Muster__Wire__EnrolRequest request;

	muster__wire__enrol_request__init(&request);
	request.protocol = WIRE_PROTOCOL;
	request.token = text("mse_0123456789abcdefghijABCDEFGHIJ012345abcdef");
	request.attempt = exchange_bytes(id_a, sizeof(id_a));
	request.request = bytes_of("0\x82 not looked into here");
	request.name = text("mail-1");
	request.policy = text("servers");
	request.host = sample_host();
	return &request;
}

Muster__Wire__EnrolReply *sample_enrol_reply(void)
{
	static Muster__Wire__EnrolReply reply;

	muster__wire__enrol_reply__init(&reply);
	reply.protocol = WIRE_PROTOCOL;
	reply.computer = exchange_bytes(sample_computer.bytes, UUID_BYTES);
	reply.certificate = bytes_of("-----BEGIN CERTIFICATE-----\n");
	reply.authority = bytes_of("-----BEGIN CERTIFICATE-----\n");
	reply.server_authentication = exchange_bytes(hash, sizeof(hash));
	reply.name = text("mail-1");
	return &reply;
}

Muster__Wire__RenewRequest *sample_renew_request(void)
{
	static Muster__Wire__RenewRequest request;

	muster__wire__renew_request__init(&request);
	request.protocol = WIRE_PROTOCOL;
	request.request = bytes_of("0\x82 not looked into here");
	return &request;
}

Muster__Wire__RenewReply *sample_renew_reply(void)
{
	static Muster__Wire__RenewReply reply;

	muster__wire__renew_reply__init(&reply);
	reply.protocol = WIRE_PROTOCOL;
	reply.certificate = bytes_of("-----BEGIN CERTIFICATE-----\n");
	reply.authority = bytes_of("-----BEGIN CERTIFICATE-----\n");
	return &reply;
}

static Muster__Wire__Signed *sample_signed(void)
{
	static Muster__Wire__Signed content;

	muster__wire__signed__init(&content);
	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(sample_computer.bytes, UUID_BYTES);
	content.session = SAMPLE_SESSION;
	content.serial = 7;
	content.issued_us = INT64_C(1795294800000000);
	content.expires_us = INT64_C(1795381200000000);
	return &content;
}

Muster__Wire__Signed *sample_scan(void)
{
	static Muster__Wire__Command command;
	static Muster__Wire__Scan scan;
	static ProtobufCBinaryData paths[1];
	Muster__Wire__Signed *content = sample_signed();

	paths[0] = bytes_of("/usr/share");
	muster__wire__scan__init(&scan);
	scan.paths = paths;
	scan.n_paths = 1;
	muster__wire__command__init(&command);
	command.id = exchange_bytes(id_a, sizeof(id_a));
	command.timeout_us = 3600000000;
	command.kind_case = MUSTER__WIRE__COMMAND__KIND_SCAN;
	command.scan = &scan;
	content->content_case = MUSTER__WIRE__SIGNED__CONTENT_COMMAND;
	content->command = &command;
	return content;
}

Muster__Wire__Signed *sample_configuration(void)
{
	static Muster__Wire__Configuration configuration;
	static Muster__Wire__Field settings[2];
	static Muster__Wire__Field *list[2];
	Muster__Wire__Signed *content = sample_signed();

	for (size_t i = 0; i < 2; i++) {
		muster__wire__field__init(&settings[i]);
		list[i] = &settings[i];
	}
	settings[0].name = text("link.heartbeat_interval");
	settings[0].value = bytes_of("10m");
	settings[1].name = text("link.poll");
	settings[1].value = bytes_of("held");
	muster__wire__configuration__init(&configuration);
	configuration.settings = list;
	configuration.n_settings = 2;
	content->content_case = MUSTER__WIRE__SIGNED__CONTENT_CONFIGURATION;
	content->configuration = &configuration;
	return content;
}
