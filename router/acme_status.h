/*
 * acme_status - how a domain stands with its certificate, as it is kept in etcd and told by the API.
 */
#ifndef ROUTER_ACME_STATUS_H
#define ROUTER_ACME_STATUS_H

#include <stdint.h>

#include "router/acme_decide.h"

struct fl_buf;

struct acme_status {
	enum acme_state state;
	int failures;	/* orders that failed since one worked */
	int64_t next_s; /* since 1970; no order before; 0: unknown */
	char error[512]; /* of the last one that failed; "": none */
};

/* {"state","failures","next_try","error"}, appended. */
void acme_status_write(const struct acme_status *s, struct fl_buf *b);
/* -1: it is none. */
int acme_status_parse(const char *text, size_t len, struct acme_status *s);

#endif
