#include "router/record.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/json.h"

#define N_TEXTS 6

/* As it lies in memory; the texts follow one another behind it. */
struct packed {
	int64_t start_us;
	uint64_t up_bytes, down_bytes;
	float connect_us, first_us, total_us;
	uint32_t route;
	uint16_t status;
	uint8_t retries, flags;
	struct in6_addr client;
	uint8_t len[N_TEXTS];
};

static_assert(sizeof(struct packed) <= 88, "RECORD_MAX is enough");
static_assert(RECORD_NOTE <= UINT8_MAX, "a text's length fits");

size_t
record_pack(const struct record *r, void *out)
{
	const struct fl_span *texts[N_TEXTS] = { &r->method, &r->host, &r->path, &r->id, &r->instance, &r->release };
	struct packed *p = out;
	char *at = (char *)(p + 1);
	struct fl_span run = { (const char *)p, 0 }; /* those that lie one behind the other are copied together */

	p->start_us = r->start_us;
	p->up_bytes = r->up_bytes;
	p->down_bytes = r->down_bytes;
	p->connect_us = r->connect_us;
	p->first_us = r->first_us;
	p->total_us = r->total_us;
	p->route = r->route;
	p->status = r->status;
	p->retries = r->retries;
	p->flags = r->flags;
	p->client = r->client;
	for (size_t i = 0; i < N_TEXTS; i++) {
		p->len[i] = (uint8_t)texts[i]->len;
		if (texts[i]->len == 0)
			continue;
		if (texts[i]->p != run.p + run.len) {
			if (run.len > 0)
				at = mempcpy(at, run.p, run.len);
			run = (struct fl_span){ texts[i]->p, 0 };
		}
		run.len += texts[i]->len;
	}
	if (run.len > 0)
		at = mempcpy(at, run.p, run.len);
	return (size_t)(at - (char *)out);
}

void
record_unpack(struct record *r, const void *packed)
{
	struct fl_span *texts[N_TEXTS] = { &r->method, &r->host, &r->path, &r->id, &r->instance, &r->release };
	const struct packed *p = packed;
	const char *at = (const char *)(p + 1);

	r->start_us = p->start_us;
	r->up_bytes = p->up_bytes;
	r->down_bytes = p->down_bytes;
	r->connect_us = p->connect_us;
	r->first_us = p->first_us;
	r->total_us = p->total_us;
	r->route = p->route;
	r->status = p->status;
	r->retries = p->retries;
	r->flags = p->flags;
	r->client = p->client;
	for (size_t i = 0; i < N_TEXTS; i++) {
		*texts[i] = (struct fl_span){ at, p->len[i] };
		at += p->len[i];
	}
}

const char *
record_protocol(const struct record *r)
{
	if ((r->flags & RECORD_TCP) != 0)
		return "tcp";
	return (r->flags & RECORD_H2) != 0 ? "h2" : "http/1.1";
}

void
record_client(const struct record *r, char out[INET6_ADDRSTRLEN])
{
	if (IN6_IS_ADDR_V4MAPPED(&r->client))
		inet_ntop(AF_INET, &r->client.s6_addr[12], out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &r->client, out, INET6_ADDRSTRLEN);
}

static void
write_text(struct fl_jsonw *w, const char *key, struct fl_span text)
{
	if (text.len > 0)
		fl_jsonw_strn(w, key, text.p, text.len);
}

/* Milliseconds with three decimals. */
static void
write_ms(struct fl_jsonw *w, const char *key, float us)
{
	int64_t n = (int64_t)us;
	struct fl_buf b = { 0 };

	if (n <= 0)
		return;
	fl_buf_addf(&b, "%lld.%03lld", (long long)(n / 1000), (long long)(n % 1000));
	fl_jsonw_raw(w, key, fl_buf_cstr(&b));
	fl_buf_release(&b);
}

void
record_write(const struct record *r, int64_t wall_us, struct fl_buf *b)
{
	struct fl_jsonw w = fl_jsonw(b);
	char text[INET6_ADDRSTRLEN > FL_CLOCK_RFC3339_LEN ? INET6_ADDRSTRLEN : FL_CLOCK_RFC3339_LEN];

	fl_jsonw_open(&w, NULL, '{');
	fl_clock_format(r->start_us + wall_us, text);
	fl_jsonw_str(&w, "time", text);
	write_text(&w, "host", r->host);
	write_text(&w, "method", r->method);
	write_text(&w, "path", r->path);
	fl_jsonw_int(&w, "status", r->status);
	fl_jsonw_int(&w, "bytes_up", (int64_t)r->up_bytes);
	fl_jsonw_int(&w, "bytes_down", (int64_t)r->down_bytes);
	write_ms(&w, "connect_ms", r->connect_us);
	write_ms(&w, "first_byte_ms", r->first_us);
	write_ms(&w, "total_ms", r->total_us > 1 ? r->total_us : 1);
	write_text(&w, "instance", r->instance);
	write_text(&w, "release", r->release);
	record_client(r, text);
	fl_jsonw_str(&w, "client", text);
	write_text(&w, "request_id", r->id);
	fl_jsonw_str(&w, "protocol", record_protocol(r));
	fl_jsonw_bool(&w, "tls", (r->flags & RECORD_TLS) != 0);
	fl_jsonw_int(&w, "retries", r->retries);
	fl_jsonw_bool(&w, "own", (r->flags & RECORD_OWN) != 0);
	fl_jsonw_bool(&w, "whole", (r->flags & RECORD_WHOLE) != 0);
	fl_jsonw_close(&w, '}');
}
