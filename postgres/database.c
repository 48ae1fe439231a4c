#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/database.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/pg.h"
#include "libflynn/random.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

#define MAX_STATEMENTS 3

/* Statements run one after another, outside a transaction: CREATE DATABASE allows none. */
struct work {
	struct fl_pg *pg;
	struct database db;
	char *statements[MAX_STATEMENTS];
	size_t next;
	struct fl_err failed; /* of a creation whose parts are being dropped again */
	database_cb cb;
	void *arg;
};

static void
work_free(struct work *w)
{
	for (size_t i = 0; i < MAX_STATEMENTS; i++)
		free(w->statements[i]);
	free(w->db.user);
	free(w->db.password);
	free(w->db.name);
	free(w);
}

static void
work_end(struct work *w, const struct fl_err *err)
{
	w->cb(err == NULL ? &w->db : NULL, err, w->arg);
	work_free(w);
}

static void
on_undone(FL_UNUSED const struct database *db, FL_UNUSED const struct fl_err *err, void *arg)
{
	struct work *w = arg;

	work_end(w, &w->failed);
}

/* A role or a database that nobody is told of would stay for ever. */
static void
undo_create(struct work *w, const struct fl_err *err)
{
	char *id = fl_xasprintf("/databases/%s:%s", w->db.user, w->db.name);

	w->failed = *err;
	database_drop(w->pg, id, on_undone, w);
	free(id);
}

static void work_next(struct work *w);

static void
on_result(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct work *w = arg;

	if (err != NULL && w->db.user != NULL) {
		undo_create(w, err);
	} else if (err != NULL) {
		work_end(w, err);
	} else {
		w->next++;
		work_next(w);
	}
}

static void
work_next(struct work *w)
{
	if (w->next < MAX_STATEMENTS && w->statements[w->next] != NULL) {
		fl_pg_query(w->pg, w->statements[w->next], NULL, 0, on_result, w);
		return;
	}
	work_end(w, NULL);
}

/* Names and password are hex digits that we made or checked, so they may stand in the statement. */
void
database_create(struct fl_pg *pg, database_cb cb, void *arg)
{
	struct work *w = fl_xcalloc(1, sizeof(*w));

	w->pg = pg;
	w->cb = cb;
	w->arg = arg;
	w->db.user = fl_random_hex(16);
	w->db.password = fl_random_hex(16);
	w->db.name = fl_random_hex(16);
	w->statements[0] = fl_xasprintf("CREATE ROLE \"%s\" LOGIN PASSWORD '%s'", w->db.user, w->db.password);
	w->statements[1] = fl_xasprintf("CREATE DATABASE \"%s\" OWNER \"%s\"", w->db.name, w->db.user);
	w->statements[2] = fl_xasprintf("REVOKE ALL ON DATABASE \"%s\" FROM PUBLIC", w->db.name);
	work_next(w);
}

bool
database_parse_id(const char *id, char user[FL_UUID_LEN + 1], char name[FL_UUID_LEN + 1])
{
	static const char prefix[] = "/databases/";
	static const char hex[] = "0123456789abcdef";

	if (strncmp(id, prefix, strlen(prefix)) != 0)
		return false;
	id += strlen(prefix);
	if (strlen(id) != 2 * FL_UUID_LEN + 1 || strspn(id, hex) != FL_UUID_LEN || id[FL_UUID_LEN] != ':' ||
	    strspn(id + FL_UUID_LEN + 1, hex) != FL_UUID_LEN)
		return false;
	snprintf(user, FL_UUID_LEN + 1, "%.32s", id);
	snprintf(name, FL_UUID_LEN + 1, "%.32s", id + FL_UUID_LEN + 1);
	return true;
}

void
database_drop(struct fl_pg *pg, const char *id, database_cb cb, void *arg)
{
	char user[FL_UUID_LEN + 1], name[FL_UUID_LEN + 1];
	struct fl_err err;
	struct work *w;

	if (!database_parse_id(id, user, name)) {
		fl_err_set(&err, FL_ERR_NOT_FOUND, "there is no database \"%.80s\"", id);
		cb(NULL, &err, arg);
		return;
	}
	w = fl_xcalloc(1, sizeof(*w));
	w->pg = pg;
	w->cb = cb;
	w->arg = arg;
	w->statements[0] = fl_xasprintf("DROP DATABASE IF EXISTS \"%s\" WITH (FORCE)", name);
	w->statements[1] = fl_xasprintf("DROP ROLE IF EXISTS \"%s\"", user);
	work_next(w);
}
