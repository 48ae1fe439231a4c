#include "controller/attach_request.h"

#include <stddef.h>
#include <strings.h>

#include "libflynn/http_server.h"

bool
attach_request_upgrades(const struct fl_http_req *req)
{
	const char *upgrade = fl_http_header(req, "Upgrade");

	return upgrade != NULL && strcasecmp(upgrade, "flynn-attach/0") == 0;
}

bool
attach_request_is(const struct fl_http_req *req)
{
	return attach_request_upgrades(req) || fl_http_accepts(req, "application/vnd.flynn.attach");
}

/* Clients of 2014 want exactly this; those that upgraded, what RFC 9110, 7.8 says. */
struct bufferevent *
attach_request_answer(struct fl_http_req *req)
{
	static const char upgraded[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: flynn-attach/0\r\n\r\n";
	static const char accepted[] = "HTTP/1.1 101 Switching Protocols\r\nContent-Type: application/vnd.flynn.attach\r\nContent-Length: 0\r\n\r\n";

	return fl_http_hijack(req, attach_request_upgrades(req) ? upgraded : accepted);
}
