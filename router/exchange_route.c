#include "router/exchange_internal.h"

#include <string.h>

#include "libflynn/buf.h"
#include "router/backend.h"
#include "router/challenge.h"
#include "router/forwarded.h"
#include "router/page.h"
#include "router/path.h"
#include "router/plane.h"
#include "router/seen.h"
#include "router/sticky.h"
#include "router/table.h"
#include "router/worker.h"

/* When those who come during maintenance may ask again. */
#define MAINTENANCE_RETRY_S 120

static void
no_route(struct exchange *x, const char *host, bool is_ambiguous)
{
	if (is_ambiguous)
		exchange_fail(x, 400, "the path can be read in ways that lead to different routes of %s", host);
	else if (!atomic_load(&x->w->plane->is_synced))
		exchange_fail(x, 503, "the routes have not been read from etcd yet");
	else
		exchange_fail(x, 404, "no route leads from %s to an app", host);
}

/*
 * To the same URL with https. 301 is what browsers and platforms agree on for what is fetched; 308 keeps method and body of
 * the rest (RFC 9110 15.4.9).
 */
static void
redirect(struct exchange *x, const struct fl_http_head *h, const char *host)
{
	bool is_fetch = x->is_head || fl_span_eq(h->method, "GET");
	int port = x->w->plane->https_port;
	struct fl_span path = path_of(h);
	const char *end = h->target.p + h->target.len, *query = memchr(h->target.p, '?', h->target.len);
	struct page page = { .status = is_fetch ? 301 : 308, .why = "this site is served over HTTPS" };
	struct fl_buf b = { 0 };

	fl_buf_addf(&b, "https://%s", host);
	if (port != 443 && x->c->trust != FORWARDED_KEEP) /* where the proxy before us has it, we do not know */
		fl_buf_addf(&b, ":%d", port);
	fl_buf_add(&b, path.p, path.len);
	if (query != NULL)
		fl_buf_add(&b, query, (size_t)(end - query));
	page.location = fl_buf_cstr(&b);
	exchange_page(x, &page);
	fl_buf_release(&b);
}

/* An ACME server comes to see whether the host leads here; whatever its route says, a proof that is asked for is shown. */
static bool
answer_challenge(struct exchange *x, const struct fl_http_head *h, const char *host, size_t len)
{
	const struct plane *plane = x->w->plane;
	struct page page = { .status = 200 };

	if (atomic_load_explicit(&plane->challenges, memory_order_relaxed) == NULL || (!x->is_head && !fl_span_eq(h->method, "GET")))
		return false;
	if ((page.plain = challenge_answer(plane, host, len, path_of(h))) == NULL)
		return false;
	exchange_page(x, &page);
	return true;
}

static void
follow(struct exchange *x, const struct target *t, const struct fl_http_head *h, const char *host)
{
	bool is_https = forwarded_is_https(h, x->c->is_tls, x->c->trust);

	if (t->redirect_https && !is_https) {
		redirect(x, h, host);
		return;
	}
	if (t->maintenance != NULL) {
		struct page page = { .status = 503, .why = t->maintenance, .retry_after_s = MAINTENANCE_RETRY_S };

		exchange_page(x, &page);
		return;
	}
	x->service = t->service;
	x->is_leader_only = t->leader;
	if (t->sticky) {
		if (x->w->sticky_mac == NULL)
			x->w->sticky_mac = sticky_mac_new(x->w->plane->sticky_key);
		x->sticky = sticky_read(x->w->sticky_mac, t, h, is_https, x->w->wall_ms / 1000);
	}
	service_hold(x->service, x->w->index);
}

void
exchange_route(struct exchange *x, const struct fl_http_head *h)
{
	char host[TABLE_MAX_KEY + 1];
	size_t len = table_normalise_host(h->host.p, h->host.len, host);
	const struct target *target = NULL;
	bool is_ambiguous = false;

	if (len > 0)
		target = table_find_route(atomic_load(&x->w->plane->table), host, len, path_of(h), &is_ambiguous);
	seen_request(x, target, h->method, (struct fl_span){ host, len }, h->target);
	seen_client(x, h);
	if (h->expect_other) {
		exchange_fail(x, 417, "the request expects something other than 100-continue");
	} else if (len == 0) {
		x->keep_client = x->is_last = false; /* whom it is for is not clear, nor then what follows it */
		exchange_fail(x, 400, "the request names no valid host");
	} else if (answer_challenge(x, h, host, len)) {
		return;
	} else if (target == NULL) {
		no_route(x, host, is_ambiguous);
	} else {
		follow(x, target, h, host);
	}
}
