#include "discoverd/dns_zone.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "discoverd/dns_packet.h"
#include "discoverd/instance.h"
#include "discoverd/registry.h"
#include "libflynn/random.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define ZONE "discoverd"

/* Where an instance is, as records say it. */
struct place {
	const struct instance *instance;
	uint8_t addr[16];
	size_t addr_len; /* 4 or 16 */
	uint16_t port;
};

/* What a name asks for. */
struct asked {
	const struct service *service;
	const char *proto;	    /* NULL: any */
	const struct instance *one; /* instead of all */
	bool single;		    /* one was asked for, and may be NULL */
};

struct answer {
	struct dns_reply reply;
	const struct dns_query *q;
	struct place *places;
	size_t n;
};

bool
dns_zone_has(const struct dns_query *q)
{
	return q->name.n_labels > 0 && dns_name_label_is(&q->name, q->name.n_labels - 1, ZONE);
}

static bool
asks_for(const struct dns_query *q, enum dns_type type)
{
	return q->type == type || q->type == DNS_TYPE_ANY;
}

static bool
place_of(const struct instance *i, struct place *p)
{
	char *host = NULL;
	int port = 0;
	bool found = false;

	if (fl_url_hostport(i->addr, &host, &port, NULL) == 0) {
		*p = (struct place){ .instance = i, .port = (uint16_t)port };
		if (inet_pton(AF_INET, host, p->addr) == 1)
			p->addr_len = 4;
		else if (inet_pton(AF_INET6, host, p->addr) == 1)
			p->addr_len = 16;
		found = p->addr_len > 0;
	}
	free(host);
	return found;
}

/* The service that label i, behind skip bytes, names; NULL when there is none. */
static const struct service *
service_at(const struct registry *r, const struct dns_name *name, size_t i, size_t skip)
{
	char text[64];

	if (!dns_name_label(name, i, text, sizeof(text)) || strlen(text) < skip)
		return NULL;
	return registry_find(r, text + skip);
}

/* _<service>._<proto>; proto has room for a label. */
static bool
find_by_proto(const struct registry *r, const struct dns_name *name, struct asked *a, char proto[64])
{
	char text[64];

	if (!dns_name_label(name, 0, text, sizeof(text)) || text[0] != '_' ||
	    !dns_name_label(name, 1, proto, sizeof(text)) || proto[0] != '_')
		return false;
	a->service = service_at(r, name, 0, 1);
	a->proto = proto + 1;
	return true;
}

/* Whether the name is there at all. */
static bool
find(const struct registry *r, const struct dns_name *name, struct asked *a, char proto[64])
{
	char id[64];

	*a = (struct asked){ 0 };
	switch (name->n_labels - 1) { /* the last is the zone's */
	case 1:
		a->service = service_at(r, name, 0, 0);
		return a->service != NULL;
	case 2:
		if (find_by_proto(r, name, a, proto))
			return a->service != NULL;
		if (!dns_name_label_is(name, 0, "leader"))
			return false;
		a->service = service_at(r, name, 1, 0);
		a->single = true;
		a->one = a->service != NULL ? a->service->leader : NULL;
		return a->one != NULL;
	case 3:
		if (!dns_name_label_is(name, 2, "_i") || !dns_name_label(name, 0, id, sizeof(id)))
			return false;
		a->service = service_at(r, name, 1, 0);
		a->single = true;
		a->one = a->service != NULL ? service_find(a->service, id) : NULL;
		return a->one != NULL;
	}
	return false;
}

static void
shuffle(struct place *places, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = fl_random_below((uint32_t)i);
		struct place held = places[i - 1];

		places[i - 1] = places[k];
		places[k] = held;
	}
}

static void
collect(struct answer *a, const struct asked *asked)
{
	const struct service *s = asked->service;

	if (asked->single) {
		a->places = fl_xcalloc(1, sizeof(*a->places));
		a->n = place_of(asked->one, &a->places[0]);
		return;
	}
	a->places = fl_xcalloc(s->n_instances + 1, sizeof(*a->places));
	for (size_t i = 0; i < s->n_instances; i++)
		if (asked->proto == NULL || strcmp(s->instances[i]->proto, asked->proto) == 0)
			a->n += place_of(s->instances[i], &a->places[a->n]);
	shuffle(a->places, a->n);
}

/* Whether the address is already there under another port. */
static bool
is_repeated(const struct answer *a, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (a->places[k].addr_len == a->places[i].addr_len &&
		    memcmp(a->places[k].addr, a->places[i].addr, a->places[i].addr_len) == 0)
			return true;
	return false;
}

/* Returns how many there were. */
static size_t
write_addrs(struct answer *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n && !a->reply.cut; i++) {
		const struct place *p = &a->places[i];

		if (!asks_for(a->q, p->addr_len == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA) || is_repeated(a, i))
			continue;
		dns_reply_addr(&a->reply, DNS_ANSWER, NULL, p->addr, p->addr_len);
		n++;
	}
	return n;
}

static bool
target_name(const struct service *s, const struct place *p, struct dns_name *out)
{
	char *text = fl_xasprintf("%s.%s._i." ZONE, p->instance->id, s->name);
	bool ok = dns_name_set(out, text);

	free(text);
	return ok;
}

static size_t
write_srvs(struct answer *a, const struct service *s)
{
	struct dns_name target;
	size_t n = 0;

	if (!asks_for(a->q, DNS_TYPE_SRV))
		return 0;
	for (size_t i = 0; i < a->n && !a->reply.cut; i++) {
		if (!target_name(s, &a->places[i], &target))
			continue;
		dns_reply_srv(&a->reply, a->places[i].port, &target);
		n++;
	}
	for (size_t i = 0; i < a->n && !a->reply.cut && a->q->type == DNS_TYPE_SRV; i++)
		if (target_name(s, &a->places[i], &target))
			dns_reply_addr(&a->reply, DNS_ADDITIONAL, &target, a->places[i].addr, a->places[i].addr_len);
	return n;
}

size_t
dns_zone_answer(const struct registry *r, const uint8_t *query, const struct dns_query *q, uint8_t *out, size_t max)
{
	struct answer a = { .q = q };
	struct asked asked;
	enum dns_rcode rcode = DNS_OK;
	bool is_apex = q->name.n_labels == 1;
	char proto[64];
	size_t n = 0;

	dns_reply_start(&a.reply, out, max, query, q);
	if (q->class != DNS_CLASS_IN && q->class != DNS_CLASS_ANY)
		return dns_reply_end(&a.reply, DNS_REFUSED, false);
	if (!registry_is_known(r))
		return dns_reply_end(&a.reply, DNS_SERVFAIL, false);
	if (is_apex && asks_for(q, DNS_TYPE_SOA)) {
		dns_reply_soa(&a.reply, DNS_ANSWER, ZONE);
		n = 1;
	} else if (!is_apex && find(r, &q->name, &asked, proto)) {
		collect(&a, &asked);
		n = write_addrs(&a);
		n += write_srvs(&a, asked.service);
	} else if (!is_apex) {
		rcode = DNS_NXDOMAIN;
	}
	if (n == 0)
		dns_reply_soa(&a.reply, DNS_AUTHORITY, ZONE);
	free(a.places);
	return dns_reply_end(&a.reply, rcode, true);
}
