#include "discoverd/dns_packet.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

/* Bits of the header's third and fourth byte. */
enum { FLAG_QR = 0x80, FLAG_OPCODE = 0x78, FLAG_AA = 0x04, FLAG_TC = 0x02, FLAG_RD = 0x01, FLAG_RA = 0x80, MASK_RCODE = 0x0f };
enum {
	LABEL_MAX = 63,
	POINTER_TO_QUESTION = 0xc000 | DNS_HEADER_LEN,
	RECORD_FIXED_LEN = 10, /* type, class, TTL, length */
	OPT_LEN = 1 + RECORD_FIXED_LEN,
	EXTRA_RECORDS_MAX = 8, /* in a query; OPT, TSIG and room to grow */
};

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void
set16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void
dns_set_id(uint8_t *data, uint16_t id)
{
	set16(data, id);
}

/* Reads an uncompressed name at *at. */
static bool
name_parse(const uint8_t *data, size_t len, size_t *at, struct dns_name *n)
{
	n->len = n->n_labels = 0;
	for (;;) {
		size_t label_len;

		if (*at >= len)
			return false;
		label_len = data[*at];
		/* Larger: a compression pointer or a reserved kind. The root's byte must fit too. */
		if (label_len > LABEL_MAX || label_len + 1 > len - *at || n->len + label_len + 1 > DNS_NAME_MAX)
			return false;
		if (label_len > 0)
			n->label[n->n_labels++] = (uint8_t)n->len;
		n->wire[n->len++] = (uint8_t)label_len;
		for (size_t i = 1; i <= label_len; i++)
			n->wire[n->len++] = (uint8_t)tolower(data[*at + i]);
		*at += label_len + 1;
		if (label_len == 0)
			return true;
	}
}

/* Steps over one additional record, taking what an OPT record says (RFC 6891, 6.1). */
static bool
extra_parse(const uint8_t *data, size_t len, size_t *at, struct dns_query *q, enum dns_rcode *rcode)
{
	struct dns_name owner;
	const uint8_t *fixed;

	if (!name_parse(data, len, at, &owner) || len - *at < RECORD_FIXED_LEN)
		return false;
	fixed = data + *at;
	*at += RECORD_FIXED_LEN;
	if (get16(fixed + 8) > len - *at)
		return false;
	*at += get16(fixed + 8);
	if (get16(fixed) != DNS_TYPE_OPT)
		return true;
	if (q->edns || owner.n_labels != 0)
		return false;
	q->edns = true;
	if (fixed[5] != 0) /* its version */
		*rcode = DNS_BADVERS;
	q->udp_size = get16(fixed + 2);
	if (q->udp_size < DNS_UDP_MIN)
		q->udp_size = DNS_UDP_MIN;
	if (q->udp_size > DNS_UDP_MAX)
		q->udp_size = DNS_UDP_MAX;
	return true;
}

enum dns_parse
dns_query_parse(const uint8_t *data, size_t len, struct dns_query *q, enum dns_rcode *rcode)
{
	size_t at = DNS_HEADER_LEN;
	unsigned n_extra;

	*q = (struct dns_query){ .udp_size = DNS_UDP_MIN, .question_end = DNS_HEADER_LEN };
	if (len < DNS_HEADER_LEN || len > DNS_TCP_MAX || (data[2] & FLAG_QR))
		return DNS_PARSE_DROP;
	q->id = get16(data);
	q->recursion_desired = data[2] & FLAG_RD;
	*rcode = DNS_NOTIMP;
	if (data[2] & FLAG_OPCODE)
		return DNS_PARSE_ERROR;
	*rcode = DNS_FORMERR;
	n_extra = get16(data + DNS_ADDITIONAL);
	if (get16(data + 4) != 1 || get16(data + DNS_ANSWER) != 0 || get16(data + DNS_AUTHORITY) != 0 || n_extra > EXTRA_RECORDS_MAX)
		return DNS_PARSE_ERROR;
	if (!name_parse(data, len, &at, &q->name) || len - at < 4)
		return DNS_PARSE_ERROR;
	q->type = get16(data + at);
	q->class = get16(data + at + 2);
	at += 4;
	q->question_end = at;
	*rcode = DNS_OK;
	for (unsigned i = 0; i < n_extra; i++) {
		if (!extra_parse(data, len, &at, q, rcode)) {
			*rcode = DNS_FORMERR;
			return DNS_PARSE_ERROR;
		}
	}
	if (at != len)
		*rcode = DNS_FORMERR;
	return *rcode == DNS_OK ? DNS_PARSE_OK : DNS_PARSE_ERROR;
}

bool
dns_name_label_is(const struct dns_name *name, size_t i, const char *text)
{
	const uint8_t *label = name->wire + name->label[i];
	size_t len = strlen(text);

	if (label[0] != len)
		return false;
	for (size_t k = 0; k < len; k++)
		if (label[1 + k] != tolower((unsigned char)text[k]))
			return false;
	return true;
}

bool
dns_name_label(const struct dns_name *name, size_t i, char *out, size_t size)
{
	const uint8_t *label = name->wire + name->label[i];
	size_t len = label[0];

	if (len >= size)
		return false;
	for (size_t k = 0; k < len; k++) {
		if (!isalnum(label[1 + k]) && label[1 + k] != '-' && label[1 + k] != '_')
			return false;
		out[k] = (char)label[1 + k];
	}
	out[len] = '\0';
	return true;
}

bool
dns_name_set(struct dns_name *name, const char *text)
{
	name->len = name->n_labels = 0;
	while (*text != '\0') {
		size_t len = strcspn(text, ".");

		if (len == 0 || len > LABEL_MAX || name->len + len + 2 > DNS_NAME_MAX)
			return false;
		name->label[name->n_labels++] = (uint8_t)name->len;
		name->wire[name->len++] = (uint8_t)len;
		for (size_t i = 0; i < len; i++)
			name->wire[name->len++] = (uint8_t)tolower((unsigned char)text[i]);
		text += len + (text[len] == '.');
	}
	name->wire[name->len++] = 0;
	return true;
}

bool
dns_is_answer_to(const uint8_t *data, size_t len, const uint8_t *query, const struct dns_query *q,
    enum dns_rcode *rcode, bool *cut)
{
	struct dns_name name;
	size_t at = DNS_HEADER_LEN;

	if (len < DNS_HEADER_LEN || !(data[2] & FLAG_QR) || (data[2] & FLAG_OPCODE) || memcmp(data, query, 2) != 0)
		return false;
	*rcode = data[3] & MASK_RCODE;
	*cut = data[2] & FLAG_TC;
	if (get16(data + 4) == 0) /* servers leave the question out of an error */
		return *rcode != DNS_OK && len == DNS_HEADER_LEN;
	if (get16(data + 4) != 1 || !name_parse(data, len, &at, &name) || len - at < 4)
		return false;
	return name.len == q->name.len && memcmp(name.wire, q->name.wire, name.len) == 0 &&
	    get16(data + at) == q->type && get16(data + at + 2) == q->class;
}

void
dns_reply_start(struct dns_reply *r, uint8_t *data, size_t max, const uint8_t *query, const struct dns_query *q)
{
	assert(max >= DNS_UDP_MIN && q->question_end < DNS_UDP_MIN);
	*r = (struct dns_reply){ .data = data, .q = q, .len = q->question_end };
	r->max = max - (q->edns ? OPT_LEN : 0);
	memcpy(data, query, q->question_end);
	memset(data + 2, 0, DNS_HEADER_LEN - 2);
	set16(data + 4, q->question_end > DNS_HEADER_LEN);
}

static void
put(struct dns_reply *r, const void *data, size_t len)
{
	memcpy(r->data + r->len, data, len);
	r->len += len;
}

static void
put16(struct dns_reply *r, unsigned value)
{
	set16(r->data + r->len, value);
	r->len += 2;
}

/* Begins a record when all of it fits. Once one was left out, so are all behind it. */
static bool
record(struct dns_reply *r, enum dns_section s, const struct dns_name *owner, enum dns_type type, size_t data_len)
{
	static const uint8_t no_ttl[4];
	size_t owner_len = owner != NULL ? owner->len : 2;

	if (r->cut || owner_len + RECORD_FIXED_LEN + data_len > r->max - r->len) {
		/* Additional records are a courtesy: leaving them out cuts nothing (RFC 2181, 9). */
		if (s != DNS_ADDITIONAL)
			r->cut = true;
		return false;
	}
	if (owner != NULL)
		put(r, owner->wire, owner->len);
	else
		put16(r, POINTER_TO_QUESTION);
	put16(r, type);
	put16(r, DNS_CLASS_IN);
	put(r, no_ttl, sizeof(no_ttl));
	put16(r, (unsigned)data_len);
	set16(r->data + s, get16(r->data + s) + 1u);
	return true;
}

void
dns_reply_addr(struct dns_reply *r, enum dns_section s, const struct dns_name *owner, const uint8_t *addr, size_t addr_len)
{
	if (record(r, s, owner, addr_len == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA, addr_len))
		put(r, addr, addr_len);
}

void
dns_reply_srv(struct dns_reply *r, uint16_t port, const struct dns_name *target)
{
	if (!record(r, DNS_ANSWER, NULL, DNS_TYPE_SRV, 6 + target->len))
		return;
	put16(r, 1); /* priority */
	put16(r, 1); /* weight */
	put16(r, port);
	put(r, target->wire, target->len); /* never compressed: RFC 2782 */
}

void
dns_reply_soa(struct dns_reply *r, enum dns_section s, const char *zone)
{
	/* serial, refresh, retry, expire, minimum */
	static const uint8_t numbers[20] = { 0, 0, 0, 1, 0, 0, 0x0e, 0x10, 0, 0, 0x02, 0x58, 0, 0x01, 0x51, 0x80, 0, 0, 0, 0 };
	struct dns_name owner;

	if (!dns_name_set(&owner, zone))
		return;
	if (!record(r, s, &owner, DNS_TYPE_SOA, 3 + owner.len + 11 + owner.len + sizeof(numbers)))
		return;
	put(r, "\2ns", 3);
	put(r, owner.wire, owner.len);
	put(r, "\12postmaster", 11);
	put(r, owner.wire, owner.len);
	put(r, numbers, sizeof(numbers));
}

/* Our half of EDNS, in the room that dns_reply_start() kept. */
static void
put_opt(struct dns_reply *r, enum dns_rcode rcode)
{
	const uint8_t opt[OPT_LEN] = { 0, 0, DNS_TYPE_OPT, DNS_UDP_MAX >> 8, DNS_UDP_MAX & 0xff, (uint8_t)(rcode >> 4) };

	put(r, opt, sizeof(opt));
	set16(r->data + DNS_ADDITIONAL, get16(r->data + DNS_ADDITIONAL) + 1u);
}

size_t
dns_reply_end(struct dns_reply *r, enum dns_rcode rcode, bool authoritative)
{
	r->data[2] = (uint8_t)(FLAG_QR | (authoritative ? FLAG_AA : 0) | (r->cut ? FLAG_TC : 0) | (r->q->recursion_desired ? FLAG_RD : 0));
	r->data[3] = (uint8_t)(FLAG_RA | (rcode & MASK_RCODE));
	if (r->q->edns)
		put_opt(r, rcode);
	return r->len;
}
