/*
 * dns_packet - DNS messages (RFC 1035, 2782, 6891) from and to bytes; no sockets.
 *
 * What is read comes from strangers: a query has exactly one question, whose name is not compressed, no
 * answers, and nothing behind its records; all else is refused with FORMERR. What is written never
 * exceeds the room given: records that do not fit are left out and the TC bit says so.
 */
#ifndef DISCOVERD_DNS_PACKET_H
#define DISCOVERD_DNS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER_LEN 12
#define DNS_NAME_MAX 255
#define DNS_LABELS_MAX 127
#define DNS_UDP_MIN 512	 /* what every client takes */
#define DNS_UDP_MAX 1232 /* what crosses every link unfragmented (DNS flag day 2020) */
#define DNS_TCP_MAX 65535

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_SRV = 33,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_ANY = 255,
};
enum dns_class { DNS_CLASS_IN = 1, DNS_CLASS_ANY = 255 };
enum dns_rcode {
	DNS_OK = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16, /* travels in the OPT record */
};

/* A name in wire form, lower case, with its labels found. */
struct dns_name {
	uint8_t wire[DNS_NAME_MAX];
	size_t len;
	uint8_t label[DNS_LABELS_MAX]; /* offset of each label's length byte */
	size_t n_labels;	       /* without the root */
};

struct dns_query {
	uint16_t id;
	bool recursion_desired;
	uint16_t type, class;
	struct dns_name name;
	size_t question_end; /* bytes of header and question, which a reply repeats */
	bool edns;
	size_t udp_size; /* what the client takes over UDP, DNS_UDP_MIN..DNS_UDP_MAX */
};

enum dns_parse {
	DNS_PARSE_DROP,	 /* no query, or too short to be answered */
	DNS_PARSE_ERROR, /* answer with *rcode; only id is set, and question_end when the question is whole */
	DNS_PARSE_OK,
};
enum dns_parse dns_query_parse(const uint8_t *data, size_t len, struct dns_query *q, enum dns_rcode *rcode);

/* Whether label i is text, in any case. */
bool dns_name_label_is(const struct dns_name *name, size_t i, const char *text);
/* Label i as a C string of at most size - 1 letters, digits, "-" and "_"; false when it is anything else. */
bool dns_name_label(const struct dns_name *name, size_t i, char *out, size_t size);
/* A name from dotted text ("a.b"); false when a label or the whole is too long or empty. */
bool dns_name_set(struct dns_name *name, const char *text);

/* Whether data is an answer to the query sent (same id, question and opcode); *rcode and *cut are its. */
bool dns_is_answer_to(const uint8_t *data, size_t len, const uint8_t *query, const struct dns_query *q,
    enum dns_rcode *rcode, bool *cut);
void dns_set_id(uint8_t *data, uint16_t id);

/* A reply under construction. Sections must be written in order: answers, authority, additional. */
struct dns_reply {
	uint8_t *data;
	size_t len, max;
	const struct dns_query *q;
	bool cut;
};

enum dns_section { DNS_ANSWER = 6, DNS_AUTHORITY = 8, DNS_ADDITIONAL = 10 }; /* where the header counts it */

/* Room at data for max bytes, at least DNS_UDP_MIN; query is the packet that q was parsed from. */
void dns_reply_start(struct dns_reply *r, uint8_t *data, size_t max, const uint8_t *query, const struct dns_query *q);
/* One record each; owner NULL: the question's name. TTL is 0. addr is 4 bytes (A) or 16 (AAAA). */
void dns_reply_addr(struct dns_reply *r, enum dns_section s, const struct dns_name *owner, const uint8_t *addr, size_t addr_len);
void dns_reply_srv(struct dns_reply *r, uint16_t port, const struct dns_name *target);
/* The zone's SOA, which makes a negative answer one; its minimum is 0: do not remember. */
void dns_reply_soa(struct dns_reply *r, enum dns_section s, const char *zone);
/* Finish; returns the length. authoritative: the answer is ours. */
size_t dns_reply_end(struct dns_reply *r, enum dns_rcode rcode, bool authoritative);

#endif
