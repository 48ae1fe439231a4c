/*
 * resolvers - the machine's own DNS servers, as its /etc/resolv.conf names them.
 */
#ifndef HOST_RESOLVERS_H
#define HOST_RESOLVERS_H

#include <stddef.h>

struct fl_jsonw;

/* glibc asks three at most, and discoverd is the first. */
#define RESOLVERS_MAX 2
#define RESOLVERS_LEN 64

/*
 * Those of text, the file's contents, that a container can reach: loopback addresses are the machine's own. Returns
 * how many were written to out.
 */
size_t resolvers_parse(const char *text, char out[RESOLVERS_MAX][RESOLVERS_LEN]);
/* Write ours as strings into the open array. */
void resolvers_write(struct fl_jsonw *w);

#endif
