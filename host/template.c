#include "host/template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

static const char *
value_of(const struct template_data *data, const char *name)
{
	const struct {
		const char *name, *value;
	} values[] = {
		{ ".ExternalIP", data->external_ip },
		{ ".BridgeIP", data->bridge_ip },
		{ ".HostID", data->host_id },
	};

	for (size_t i = 0; i < fl_nitems(values); i++)
		if (strcmp(values[i].name, name) == 0)
			return values[i].value != NULL ? values[i].value : "";
	return NULL;
}

static int
add_port(const struct template_data *data, const char *number, struct fl_buf *out, struct fl_err *err)
{
	char *end = NULL;
	unsigned long n = strtoul(number, &end, 10);

	if (!isdigit((unsigned char)*number) || *end != '\0' || n >= data->n_ports)
		return fl_err_set(err, FL_ERR_INVALID, "there is no TCPPort %s: tcp_ports has %zu", number, data->n_ports);
	fl_buf_addf(out, "%d", data->ports[n]);
	return 0;
}

static int
add_value(const struct template_data *data, const char *name, struct fl_buf *out, struct fl_err *err)
{
	static const char port[] = ".TCPPort ", env[] = ".Env.";
	const char *value = value_of(data, name);

	if (strncmp(name, port, sizeof(port) - 1) == 0)
		return add_port(data, name + sizeof(port) - 1, out, err);
	if (strncmp(name, env, sizeof(env) - 1) == 0) {
		value = data->env(name + sizeof(env) - 1);
		fl_buf_addstr(out, value != NULL ? value : "");
		return 0;
	}
	if (value == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "{{ %s }} is unknown", name);
	fl_buf_addstr(out, value);
	return 0;
}

int
template_render(const char *text, const struct template_data *data, struct fl_buf *out, struct fl_err *err)
{
	const char *open;

	while ((open = strstr(text, "{{")) != NULL) {
		const char *close = strstr(open, "}}"), *from = open + 2, *to = close;
		char *name;
		int status;

		if (close == NULL)
			return fl_err_set(err, FL_ERR_INVALID, "{{ without }} in %s", text);
		fl_buf_add(out, text, (size_t)(open - text));
		while (from < to && isspace((unsigned char)*from))
			from++;
		while (to > from && isspace((unsigned char)to[-1]))
			to--;
		name = fl_xstrndup(from, (size_t)(to - from));
		status = add_value(data, name, out, err);
		free(name);
		if (status == -1)
			return -1;
		text = close + 2;
	}
	fl_buf_addstr(out, text);
	return 0;
}
