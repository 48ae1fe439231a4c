#include "router/cidr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

/* The most networks that one list names. */
#define NETWORKS_MAX 1024

static int
parse_address(const char *text, struct in6_addr *out, unsigned *width)
{
	struct in_addr v4;

	*width = 128;
	if (inet_pton(AF_INET6, text, out) == 1)
		return 0;
	if (inet_pton(AF_INET, text, &v4) != 1)
		return -1;
	*width = 32;
	*out = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
	memcpy(&out->s6_addr[12], &v4, sizeof(v4));
	return 0;
}

/* "0" to "128"; -1: it is no such number. */
static int
parse_bits(const char *text)
{
	size_t len = strlen(text);
	int n = 0;

	if (len == 0 || len > 3 || strspn(text, "0123456789") != len)
		return -1;
	while (*text != '\0')
		n = n * 10 + (*text++ - '0');
	return n;
}

static bool
is_in(const struct cidr *c, const struct in6_addr *addr)
{
	unsigned bytes = c->bits / 8, rest = c->bits % 8;

	if (memcmp(&c->net, addr, bytes) != 0)
		return false;
	return rest == 0 || ((c->net.s6_addr[bytes] ^ addr->s6_addr[bytes]) >> (8 - rest)) == 0;
}

/* Drop the bits that are not the network's: whether there were any. */
static bool
mask(struct cidr *c)
{
	struct in6_addr net = { 0 };
	bool has_more;

	for (unsigned i = 0; i < c->bits; i++)
		net.s6_addr[i / 8] = (uint8_t)(net.s6_addr[i / 8] | (c->net.s6_addr[i / 8] & 0x80 >> i % 8));
	has_more = memcmp(&net, &c->net, sizeof(net)) != 0;
	c->net = net;
	return has_more;
}

/* text is changed. */
static int
parse_one(char *text, struct cidr *c, struct fl_err *err)
{
	char *slash = strchr(text, '/');
	unsigned width;
	int bits;

	if (slash != NULL)
		*slash++ = '\0';
	if (parse_address(text, &c->net, &width) == -1)
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is no address", text);
	bits = slash == NULL ? (int)width : parse_bits(slash);
	if (bits < 0 || (unsigned)bits > width)
		return fl_err_set(err, FL_ERR_INVALID, "\"%s/%s\" is no network: its length is 0 to %u", text, slash, width);
	c->bits = 128 - width + (unsigned)bits;
	if (mask(c))
		return fl_err_set(err, FL_ERR_INVALID, "\"%s/%s\" is no network: the address has more bits than its length", text, slash);
	return 0;
}

struct cidr_list *
cidr_list_parse(const char *text, struct fl_err *err)
{
	char *copy = fl_xstrdup(text), *rest = copy, *word;
	struct cidr_list *l = fl_xcalloc(1, sizeof(*l));

	while (strcmp(text, "none") != 0 && (word = strsep(&rest, ",")) != NULL) {
		word += strspn(word, " ");
		word[strcspn(word, " ")] = '\0';
		if (l->n == NETWORKS_MAX) {
			fl_err_set(err, FL_ERR_INVALID, "more than %d networks", NETWORKS_MAX);
			goto fail;
		}
		l = fl_xreallocarray(l, 1, sizeof(*l) + (l->n + 1) * sizeof(l->items[0]));
		if (parse_one(word, &l->items[l->n], err) == -1)
			goto fail;
		l->n++;
	}
	free(copy);
	return l;
fail:
	free(copy);
	free(l);
	return NULL;
}

bool
cidr_list_has(const struct cidr_list *l, const struct in6_addr *addr)
{
	for (size_t i = 0; i < l->n; i++)
		if (is_in(&l->items[i], addr))
			return true;
	return false;
}
