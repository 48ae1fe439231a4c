/*
 * dns_fuzz - what containers may send to the name server, and what servers may answer it.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "discoverd/dns_packet.h"
#include "discoverd/dns_zone.h"
#include "discoverd/instance.h"
#include "discoverd/registry.h"
#include "libflynn/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct registry *
registry(void)
{
	static const char text[] = "{\"addr\":\"10.0.0.1:80\"}";
	static struct registry *r; /* made once, for all inputs */
	struct fl_json *v;

	if (r != NULL)
		return r;
	v = fl_json_parse(text, sizeof(text) - 1, NULL);
	r = registry_new();
	registry_put_service(r, "web", false, 1);
	registry_put_instance(r, "web", instance_parse(v, NULL));
	registry_set_known(r);
	fl_json_free(v);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
	uint8_t out[DNS_UDP_MAX];
	struct dns_query q;
	struct dns_reply r;
	enum dns_rcode rcode = DNS_OK;
	size_t len = 0;
	bool cut;

	switch (dns_query_parse(data, size, &q, &rcode)) {
	case DNS_PARSE_OK:
		if (dns_zone_has(&q))
			len = dns_zone_answer(registry(), data, &q, out, q.udp_size);
		assert(len <= q.udp_size);
		break;
	case DNS_PARSE_ERROR:
		dns_reply_start(&r, out, DNS_UDP_MIN, data, &q);
		len = dns_reply_end(&r, rcode, false);
		assert(len <= DNS_UDP_MIN);
		break;
	case DNS_PARSE_DROP:
		break;
	}
	dns_query_parse(query, sizeof(query) - 1, &q, &rcode);
	dns_is_answer_to(data, size, query, &q, &rcode, &cut);
	return 0;
}
