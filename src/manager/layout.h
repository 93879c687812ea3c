/* Where things lie in a manager's data directory (doc/architecture.md). */
#ifndef MUSTER_MANAGER_LAYOUT_H
#define MUSTER_MANAGER_LAYOUT_H

#define LAYOUT_SETTINGS  "manager.ini"
#define LAYOUT_CA        "ca.pem"
#define LAYOUT_TRUST_KEY "server-authentication.pub"
#define LAYOUT_RUN_LOCK  "run.lock" /* manager/run_lock.h */

/* Of the keys role. */
#define LAYOUT_KEYS                "keys"
#define LAYOUT_KEYS_CA             "keys/ca.key"
#define LAYOUT_KEYS_TRUST          "keys/server-authentication.key"
#define LAYOUT_FRONT               "front" /* of the front role */
#define LAYOUT_DATABASE            "front/muster.db"
#define LAYOUT_TLS_KEY             "front/tls.key"
#define LAYOUT_TLS_CERTIFICATE     "front/tls.pem"
#define LAYOUT_TLS_RSA_KEY         "front/tls-rsa.key" /* for TLS profiles that need it */
#define LAYOUT_TLS_RSA_CERTIFICATE "front/tls-rsa.pem"
#define LAYOUT_CONSOLE_KEY         "front/console.key" /* of [network] console_listen; an administrator's */
#define LAYOUT_CONSOLE_CERTIFICATE "front/console.pem"
#define LAYOUT_DIAL_KEY            "front/dial.key" /* with which agents are dialled */
#define LAYOUT_DIAL_CERTIFICATE    "front/dial.pem"
#define LAYOUT_REQUEST_KEY         "front/request.key" /* front/request_key.h */
#define LAYOUT_QUARANTINE          "front/quarantine"
#define LAYOUT_QUARANTINE_INPUT    "front/quarantine/incoming"

/* Of the hypervisor role: id (an SSH key), known_hosts, cacert.pem clientcert.pem clientkey.pem (TLS). */
#define LAYOUT_HYPERVISOR "hypervisor"

/* Packages of the agent, which computers are installed from: put there by people, read by front. */
#define LAYOUT_PACKAGES "packages"

#define LAYOUT_PATH_BYTES 4096

#endif
