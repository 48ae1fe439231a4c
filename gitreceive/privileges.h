/*
 * privileges - shed before the first byte of a stranger is read.
 */
#ifndef GITRECEIVE_PRIVILEGES_H
#define GITRECEIVE_PRIVILEGES_H

struct fl_err;

/*
 * Become user for good (as root; "" or another start: stay), gain nothing by exec, leave no core dump, let nobody trace
 * us, die with the daemon.
 */
int privileges_shed(const char *user, struct fl_err *err);

#endif
