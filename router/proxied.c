#include "router/proxied.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "libflynn/err.h"
#include "libflynn/log.h"
#include "router/cidr.h"
#include "router/client.h"
#include "router/forwarded.h"
#include "router/plane.h"
#include "router/proxy_protocol.h"
#include "router/worker.h"

bool
proxied_expects(const struct client *c)
{
	const struct plane *plane = c->w->plane;

	return plane->is_proxied && !c->is_tcp && (plane->trusted == NULL || cidr_list_has(plane->trusted, &c->peer));
}

void
proxied_set_trust(struct client *c)
{
	const struct cidr_list *trusted = c->w->plane->trusted;

	if (trusted != NULL)
		c->trust = cidr_list_has(trusted, &c->peer) ? FORWARDED_KEEP : FORWARDED_REPLACE;
}

static int
refuse(struct client *c, const char *why)
{
	struct worker *w = c->w;
	char peer[INET6_ADDRSTRLEN];
	uint64_t muted;

	worker_count(w, COUNT_BAD_PROXIES, 1);
	if (complaint_due(&w->complaints[COMPLAINT_PROXY], w->now_ms, &muted))
		fl_log_warn("connection refused", fl_str("peer", inet_ntop(AF_INET6, &c->peer, peer, sizeof(peer))),
		    fl_int("port", c->port), fl_str("err", why), fl_int("more", muted));
	return IO_ERROR;
}

/*
 * Nothing is taken from the socket before the header is whole, so that nothing need be kept; it is short,
 * comes in one packet, and its time is bounded.
 */
int
proxied_read(struct client *c)
{
	struct proxy_header h;
	struct fl_err err = { 0 };
	ssize_t n;

	do
		n = recv(c->io.fd, c->w->in, PROXY_PROTOCOL_MAX, MSG_PEEK);
	while (n == -1 && errno == EINTR);
	if (n == 0 || (n == -1 && errno != EAGAIN))
		return IO_ERROR; /* a port scan, or a health check that only connects */
	switch (n > 0 ? proxy_parse(c->w->in, (size_t)n, &h, &err) : PROXY_MORE) {
	case PROXY_ERROR:
		return refuse(c, err.msg);
	case PROXY_MORE:
		if ((c->io.flags & IO_HUP) != 0)
			return refuse(c, "PROXY header: it ends early");
		c->io.flags &= ~(unsigned)IO_READABLE;
		return IO_AGAIN;
	case PROXY_DONE:
		break;
	}
	if (recv(c->io.fd, c->w->in, h.len, 0) != (ssize_t)h.len)
		return IO_ERROR;
	if (h.has_address) {
		c->peer = h.peer;
		c->port = h.port;
		proxied_set_trust(c);
	}
	return 1;
}
