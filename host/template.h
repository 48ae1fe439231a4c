/*
 * template - the values of the manifest: text with {{ .Names }} in it.
 */
#ifndef HOST_TEMPLATE_H
#define HOST_TEMPLATE_H

#include <stddef.h>

struct fl_buf;
struct fl_err;

struct template_data {
	const char *external_ip, *bridge_ip, *host_id;
	const int *ports;
	size_t n_ports;
	const char *(*env)(const char *name); /* .Env.NAME; NULL: not set, which is "" */
};

/*
 * Append text with {{ .ExternalIP }}, {{ .BridgeIP }}, {{ .HostID }}, {{ .TCPPort N }} and {{ .Env.NAME }} replaced.
 * INVALID names what is not one of these.
 */
int template_render(const char *text, const struct template_data *data, struct fl_buf *out, struct fl_err *err);

#endif
