/* The keys role: holds the CA's and the server authentication key, certifies
 * and signs for front after checking what it is. No network; no file but those
 * below keys/, and ca.pem at its start.
 */
#ifndef MUSTER_MANAGER_KEYS_KEYS_H
#define MUSTER_MANAGER_KEYS_KEYS_H

/* The role's main function; returns an exit code when told to stop or when the supervisor is gone. */
int keys_main(const char *data_directory);

#endif
