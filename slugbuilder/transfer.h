/*
 * transfer - what every transfer of slugs and caches has in common.
 */
#ifndef SLUGBUILDER_TRANSFER_H
#define SLUGBUILDER_TRANSFER_H

#include <curl/curl.h>
#include <stddef.h>

struct fl_buf;
struct fl_err;

/* The first bytes of an answer that refuses are kept, for its reason. */
#define TRANSFER_ANSWER_MAX 4096

/* A handle for url with the limits that all share: nothing hangs for more than half a minute. */
CURL *transfer_new(const char *url);
/* Why it failed: no answer (why: libcurl's text), or a status and what its body says. Returns -1. */
int transfer_fail(CURL *curl, const char *verb, const char *why, const struct fl_buf *answer, struct fl_err *err);

#endif
