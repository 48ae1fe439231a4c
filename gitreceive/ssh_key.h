/*
 * ssh_key - whether a public key may push: whether the controller knows it.
 */
#ifndef GITRECEIVE_SSH_KEY_H
#define GITRECEIVE_SSH_KEY_H

#include <libssh/libssh.h>

struct cluster;
struct fl_err;

/* The fingerprint as the controller names keys: hex MD5 of the wire form. Caller frees. */
char *ssh_key_fingerprint(ssh_key key);
/* 0: known; -1: NOT_FOUND (not known), or why it could not be asked. */
int ssh_key_check(const struct cluster *c, ssh_key key, struct fl_err *err);

#endif
