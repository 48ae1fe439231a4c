/*
 * ssh_key - public keys as OpenSSH writes them: "type base64 comment".
 */
#ifndef CONTROLLER_SSH_KEY_H
#define CONTROLLER_SSH_KEY_H

struct fl_err;

#define SSH_KEY_MAX 16384

struct ssh_key {
	char *key;	     /* "type base64", nothing else */
	char *comment;	     /* "" without one */
	char fingerprint[33]; /* hex MD5 of the key's wire form, without colons */
};

/* Parse the first key in text; INVALID when there is none. */
int ssh_key_parse(const char *text, struct ssh_key *key, struct fl_err *err);
void ssh_key_release(struct ssh_key *key);

#endif
