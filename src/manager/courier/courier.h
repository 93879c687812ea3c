/* The courier role: carries events and alerts out of the house (syslog, mail,
 * webhooks). It opens connections and listens nowhere, reads no file of the
 * manager's, and knows no more than what front gives it to deliver.
 */
#ifndef MUSTER_MANAGER_COURIER_COURIER_H
#define MUSTER_MANAGER_COURIER_COURIER_H

/* The role from start to end, as `muster-manager role courier`. Returns the exit code. */
int courier_main(const char *data_directory);

#endif
