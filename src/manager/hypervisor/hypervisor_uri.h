/* The address of a hypervisor: a libvirt URI, of those that Muster takes.
 *
 *   qemu:///system                  this computer (also xen, lxc, vz, ch)
 *   qemu+tls://HOST[:PORT]/system   another, by TLS with certificates
 *   qemu+ssh://USER@HOST[:PORT]/system   by SSH with a key, within the process: no program is started
 *   test:///default, test:///NAME   libvirt's own test driver; NAME: machines from an XML file of that name in
 *                                   the role's own directory
 *
 * libvirt's URIs can name programs to start, files to read and keys to use
 * (?command=, ?socket=, ?keyfile=): none of that is taken from whoever
 * administers Muster over the network. Keys and certificates lie in the role's
 * own directory, and are named by hypervisor_uri_compose() alone.
 *
 * Pure. The text is untrusted.
 */
#ifndef MUSTER_MANAGER_HYPERVISOR_HYPERVISOR_URI_H
#define MUSTER_MANAGER_HYPERVISOR_HYPERVISOR_URI_H

#include "base/buf.h"
#include "base/err.h"

#define HYPERVISOR_URI_BYTES 512

/* ERR_FORMAT with what is wrong and what would be right. */
int hypervisor_uri_check(const char *uri, struct err *err);
/* What libvirt is to be given, for a URI that was checked; directory: where keys and certificates lie.
 * Sticky errors in out. */
void hypervisor_uri_compose(const char *uri, const char *directory, struct buf *out);

#endif
