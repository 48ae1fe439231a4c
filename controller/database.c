#include "controller/database.h"

#include <stdlib.h>

#include "controller/controller.h"
#include "controller/schema.h"
#include "libflynn/buf.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

/* keyword='value', quoted as libpq wants it. */
static void
add_keyword(struct fl_buf *b, const char *keyword, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	fl_buf_addf(b, "%s='", keyword);
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			fl_buf_addc(b, '\\');
		fl_buf_addc(b, *value);
	}
	fl_buf_addstr(b, "' ");
}

/* -1: the service has no leader now. */
static int
leader_addr(const struct controller *c, char **host, char **port)
{
	const struct fl_instance *leader = NULL;
	int number = 0;

	if (c->postgres != NULL)
		leader = fl_discoverd_service_leader(c->postgres);
	if (leader == NULL || fl_url_hostport(leader->addr, host, &number, NULL) == -1)
		return -1;
	*port = fl_xasprintf("%d", number);
	return 0;
}

char *
database_conninfo(void *arg)
{
	const struct controller *c = arg;
	const struct controller_config *cfg = c->cfg;
	char *host = NULL, *port = NULL;
	struct fl_buf b = { 0 };

	if (cfg->pg_host != NULL) {
		host = fl_xstrdup(cfg->pg_host);
		port = fl_xstrdup_null(cfg->pg_port);
	} else if (leader_addr(c, &host, &port) == -1) {
		return NULL;
	}
	add_keyword(&b, "host", host);
	add_keyword(&b, "port", port);
	add_keyword(&b, "user", cfg->pg_user);
	add_keyword(&b, "password", cfg->pg_password);
	add_keyword(&b, "dbname", cfg->pg_database);
	add_keyword(&b, "connect_timeout", "5");
	add_keyword(&b, "application_name", "flynn-controller");
	free(host);
	free(port);
	return fl_buf_detach(&b);
}

char *
database_ready_conninfo(void *arg)
{
	const struct controller *c = arg;

	return schema_is_ready(c->schema) ? database_conninfo(arg) : NULL;
}
