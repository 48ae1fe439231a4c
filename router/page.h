/*
 * page - the answers that are our own: small pages that say why, as text or JSON.
 */
#ifndef ROUTER_PAGE_H
#define ROUTER_PAGE_H

#include <stdbool.h>

#include "libflynn/http_parse.h"

struct block;
struct block_pool;

struct page {
	int status;
	const char *why;   /* a sentence for people */
	const char *plain; /* instead of it: all of the answer's body, for programs; NULL: none */
	const char *location; /* of a redirection; NULL: none */
	const char *allow;    /* the methods that are; NULL: nothing is said */
	int retry_after_s; /* 0: nobody knows */
	bool is_json;
	bool keep_alive;
	bool is_head;	   /* to a HEAD request: no body */
	int client_minor;
	struct fl_span id; /* the request's; may be empty */
};

/* The whole answer. */
struct block *page_write(struct block_pool *pool, const struct page *p);

#endif
