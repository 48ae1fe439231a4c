/*
 * shelf - the daemon: blobs over HTTP, streamed to and from a folder.
 */
#ifndef SHELF_SHELF_H
#define SHELF_SHELF_H

#include <stdint.h>

struct event_base;
struct fl_err;
struct fl_http;
struct store;

struct shelf_config {
	char *http_addr; /* NULL: every address at port */
	int port;
	char *dir;
	char *max_size; /* bytes of a blob as text; NULL: as the disk allows */
	char *key;	/* NULL: everybody may do everything */
};

struct shelf {
	struct event_base *base;
	struct store *store;
	struct fl_http *http;
	uint64_t bytes_in, bytes_out;
};

/* cfg is not kept. INVALID: the configuration is wrong. */
struct shelf *shelf_new(struct event_base *base, const struct shelf_config *cfg, struct fl_err *err);
void shelf_free(struct shelf *s);
/* Finish what is under way, then end the loop. */
void shelf_stop(void *arg);

/* The HTTP API (api.c). */
int api_listen(struct shelf *s, const char *addr, struct fl_err *err);

#endif
