/*
 * dns - the name server for containers: names under "discoverd" from the registry, all others by the recursor.
 *
 * UDP and TCP. Only private addresses are answered (RFC 1918, 6598, 4193, link-local, loopback): whatever the machine's
 * firewall does, this is no open resolver.
 */
#ifndef DISCOVERD_DNS_H
#define DISCOVERD_DNS_H

struct dns;
struct event_base;
struct fl_args_list;
struct fl_buf;
struct fl_err;
struct registry;

/* addrs: "ip:port" each, which need not exist yet. All is borrowed. recursors: see recursor.h. */
struct dns *dns_new(struct event_base *base, const struct fl_args_list *addrs, const struct fl_args_list *recursors,
    const struct registry *registry, struct fl_err *err);
void dns_free(struct dns *d);
/* Append OpenMetrics text. */
void dns_metrics(const struct dns *d, struct fl_buf *out);

#endif
