#include "router/proxy_protocol.h"

#include <arpa/inet.h>
#include <string.h>

#include "libflynn/err.h"

#define V1_PREFIX "PROXY "
#define V1_MAX 107
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_SIGNATURE_LEN 12
#define V2_HEAD_LEN 16

/* The high and low halves of two bytes of version 2. */
enum { V2_VERSION = 0x20, V2_LOCAL = 0, V2_PROXY = 1 };
enum { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX_STREAM = 0x31 };

static enum proxy_result
bad(struct fl_err *err, const char *why)
{
	fl_err_set(err, FL_ERR_INVALID, "PROXY header: %s", why);
	return PROXY_ERROR;
}

static void
map_ipv4(struct in6_addr *to, const void *from)
{
	*to = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
	memcpy(&to->s6_addr[12], from, 4);
}

/* Take one word off the line, which is changed: up to a space, or to its end. NULL: the line is over. */
static char *
next_word(char **line)
{
	char *word = *line, *space;

	if (word == NULL)
		return NULL;
	if ((space = strchr(word, ' ')) != NULL)
		*space++ = '\0';
	*line = space;
	return word;
}

static int
parse_address(const char *text, bool is_ipv6, struct in6_addr *out)
{
	struct in_addr v4;

	if (text == NULL)
		return -1;
	if (is_ipv6)
		return inet_pton(AF_INET6, text, out) == 1 ? 0 : -1;
	if (inet_pton(AF_INET, text, &v4) != 1)
		return -1;
	map_ipv4(out, &v4);
	return 0;
}

/* Decimal without leading zeros. */
static int
parse_port(const char *text, uint16_t *port)
{
	size_t len = text != NULL ? strlen(text) : 0;
	unsigned n = 0;

	if (len == 0 || len > 5 || strspn(text, "0123456789") != len || (len > 1 && *text == '0'))
		return -1;
	while (*text != '\0')
		n = n * 10 + (unsigned)(*text++ - '0');
	if (n > UINT16_MAX)
		return -1;
	*port = (uint16_t)n;
	return 0;
}

/* What is behind "PROXY ". */
static enum proxy_result
parse_line(char *line, struct proxy_header *h, struct fl_err *err)
{
	char *family = next_word(&line);
	struct in6_addr local;
	uint16_t port;
	bool is_ipv6;

	if (family == NULL || strcmp(family, "UNKNOWN") == 0)
		return family != NULL ? PROXY_DONE : bad(err, "no protocol"); /* whatever follows is to be ignored */
	is_ipv6 = strcmp(family, "TCP6") == 0;
	if (!is_ipv6 && strcmp(family, "TCP4") != 0)
		return bad(err, "its protocol is none of TCP4, TCP6 and UNKNOWN");
	if (parse_address(next_word(&line), is_ipv6, &h->peer) == -1 || parse_address(next_word(&line), is_ipv6, &local) == -1)
		return bad(err, "a bad address");
	if (parse_port(next_word(&line), &port) == -1 || parse_port(next_word(&line), &h->port) == -1)
		return bad(err, "a bad port");
	if (line != NULL)
		return bad(err, "words behind its ports");
	h->has_address = true;
	return PROXY_DONE;
}

static enum proxy_result
parse_v1(const char *data, size_t len, struct proxy_header *h, struct fl_err *err)
{
	size_t looked = len < V1_MAX ? len : V1_MAX, prefix = sizeof(V1_PREFIX) - 1;
	const char *cr = memchr(data, '\r', looked);
	char line[V1_MAX + 1];
	size_t line_len = cr != NULL ? (size_t)(cr - data) : looked;

	if (memchr(data, '\n', line_len) != NULL || memchr(data, '\0', line_len) != NULL)
		return bad(err, "a byte that no line has");
	if (cr == NULL || line_len + 2 > V1_MAX)
		return looked < V1_MAX ? PROXY_MORE : bad(err, "its line does not end");
	if (line_len + 1 == len)
		return PROXY_MORE;
	if (cr[1] != '\n')
		return bad(err, "a CR without its LF");
	h->len = line_len + 2;
	memcpy(line, data, line_len);
	line[line_len] = '\0';
	return parse_line(line + prefix, h, err);
}

/* Whether that many bytes are whole TLVs: a type, two bytes of length, and so many of value each. */
static bool
are_tlvs(const unsigned char *p, size_t len)
{
	while (len >= 3) {
		size_t n = 3 + ((size_t)p[1] << 8 | p[2]);

		if (n > len)
			return false;
		p += n;
		len -= n;
	}
	return len == 0;
}

static enum proxy_result
take_addresses(const unsigned char *p, size_t len, unsigned family, struct proxy_header *h, struct fl_err *err)
{
	size_t address = family == V2_TCP4 ? 4 : 16, need = 2 * address + 4;

	if (len < need)
		return bad(err, "shorter than its addresses");
	if (!are_tlvs(p + need, len - need))
		return bad(err, "what follows its addresses is cut off");
	if (family == V2_TCP4)
		map_ipv4(&h->peer, p);
	else
		memcpy(&h->peer, p, sizeof(h->peer));
	h->port = (uint16_t)(p[2 * address + 2] << 8 | p[2 * address + 3]);
	h->has_address = true;
	return PROXY_DONE;
}

static enum proxy_result
parse_v2(const unsigned char *p, size_t len, struct proxy_header *h, struct fl_err *err)
{
	if (len > 12 && p[12] != (V2_VERSION | V2_LOCAL) && p[12] != (V2_VERSION | V2_PROXY))
		return bad(err, "its version is not 2, or its command neither LOCAL nor PROXY");
	if (len < V2_HEAD_LEN)
		return PROXY_MORE;
	h->len = V2_HEAD_LEN + ((size_t)p[14] << 8 | p[15]);
	if (h->len > PROXY_PROTOCOL_MAX)
		return bad(err, "longer than 4096 bytes");
	if (len < h->len)
		return PROXY_MORE;
	if (p[12] == (V2_VERSION | V2_LOCAL))
		return PROXY_DONE; /* its addresses, if any, mean nothing */
	switch (p[13]) {
	case V2_UNSPEC:
	case V2_UNIX_STREAM: /* of a client that has no address */
		return PROXY_DONE;
	case V2_TCP4:
	case V2_TCP6:
		return take_addresses(p + V2_HEAD_LEN, h->len - V2_HEAD_LEN, p[13], h, err);
	}
	return bad(err, "its protocol is no stream that we know");
}

static bool
begins(const char *data, size_t len, const char *with, size_t with_len)
{
	return memcmp(data, with, len < with_len ? len : with_len) == 0;
}

enum proxy_result
proxy_parse(const char *data, size_t len, struct proxy_header *h, struct fl_err *err)
{
	*h = (struct proxy_header){ 0 };
	if (len == 0)
		return PROXY_MORE;
	if (begins(data, len, V1_PREFIX, sizeof(V1_PREFIX) - 1))
		return len < sizeof(V1_PREFIX) - 1 ? PROXY_MORE : parse_v1(data, len, h, err);
	if (begins(data, len, V2_SIGNATURE, V2_SIGNATURE_LEN))
		return parse_v2((const unsigned char *)data, len, h, err);
	return bad(err, "there is none");
}
