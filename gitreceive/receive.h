/*
 * receive - git receive-pack at one end, an SSH channel at the other.
 */
#ifndef GITRECEIVE_RECEIVE_H
#define GITRECEIVE_RECEIVE_H

#include <libssh/libssh.h>

struct cluster;

/*
 * Run receive-pack for the app's repository, made if need be, until it has ended or the client has gone, in which
 * case it is ended with all that it started. Returns the exit status for the client.
 */
int receive_run(const struct cluster *c, const char *app_id, const char *app, ssh_session session, ssh_event event, ssh_channel channel);

#endif
