/* Whole, valid messages for the tests of this folder to start from. */
#ifndef MUSTER_TEST_WIRE_SAMPLES_H
#define MUSTER_TEST_WIRE_SAMPLES_H

#include "wire/exchange.h"

#define SAMPLE_SESSION UINT64_C(0x8123456789abcdef) /* of orders: the run of the agent */

/* Points into static storage, set anew by each call: change it at will. */
Muster__Wire__Report *sample_report(void);
Muster__Wire__Reply *sample_reply(void);
Muster__Wire__EnrolRequest *sample_enrol_request(void);
Muster__Wire__EnrolReply *sample_enrol_reply(void);
Muster__Wire__RenewRequest *sample_renew_request(void);
Muster__Wire__RenewReply *sample_renew_reply(void);
Muster__Wire__Signed *sample_scan(void);
Muster__Wire__Signed *sample_configuration(void);

extern const struct uuid sample_computer;

#endif
