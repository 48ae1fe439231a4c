/*
 * recursor - DNS questions that are not ours, passed on to the name servers that this machine uses.
 *
 * Each try has a socket, and so a port, and an id of its own, chosen at random; an answer counts only if it comes from
 * the server asked and repeats id and question. At most RECURSIONS_MAX are under way at a time.
 */
#ifndef DISCOVERD_RECURSOR_H
#define DISCOVERD_RECURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dns_query;
struct event_base;
struct fl_args_list;
struct fl_err;
struct recursion;
struct recursor;

#define RECURSIONS_MAX 256
#define RECURSION_MS 5000

/*
 * servers: "ip" or "ip:port" each; empty: those of the file at resolv_conf (resolv.conf(5)), read again whenever it
 * changes. avoid: our own addresses ("ip:port"), never asked. Both lists are borrowed.
 */
struct recursor *recursor_new(struct event_base *base, const struct fl_args_list *servers, const char *resolv_conf,
    const struct fl_args_list *avoid, struct fl_err *err);
/* Recursions under way end without callbacks. */
void recursor_free(struct recursor *r);

/*
 * Pass the query on, by TCP or UDP. cb once, from the loop, with the answer, which carries the query's id again; or NULL
 * when no server gave one within RECURSION_MS. NULL is returned when too many are under way: no callback comes.
 */
struct recursion *recursor_ask(struct recursor *r, const uint8_t *query, size_t len, const struct dns_query *q, bool tcp,
    void (*cb)(const uint8_t *answer, size_t len, void *arg), void *arg);
void recursion_cancel(struct recursion *x);
size_t recursor_count(const struct recursor *r);

#endif
