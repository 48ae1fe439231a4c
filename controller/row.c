#include "controller/row.h"

#include <string.h>

#include "libflynn/clock.h"
#include "libflynn/json.h"
#include "libflynn/pg.h"

bool
row_is_null(const PGresult *res, int row, int col)
{
	return PQgetisnull(res, row, col) != 0;
}

bool
row_bool(const PGresult *res, int row, int col)
{
	return *fl_pg_str(res, row, col, "f") == 't';
}

void
row_get_id(const PGresult *res, int row, int col, char out[FL_UUID_LEN + 1])
{
	if (!fl_uuid_parse(fl_pg_str(res, row, col, ""), out))
		*out = '\0';
}

void
row_str(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col)
{
	fl_jsonw_str_oe(w, key, fl_pg_str(res, row, col, NULL));
}

void
row_id(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col)
{
	char id[FL_UUID_LEN + 1];

	row_get_id(res, row, col, id);
	fl_jsonw_str_oe(w, key, id);
}

void
row_time(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col)
{
	char text[FL_CLOCK_RFC3339_LEN];

	if (row_is_null(res, row, col))
		return;
	fl_clock_format(fl_pg_int(res, row, col, 0), text);
	fl_jsonw_str(w, key, text);
}

void
row_int(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col)
{
	if (!row_is_null(res, row, col))
		fl_jsonw_int(w, key, fl_pg_int(res, row, col, 0));
}

struct fl_json *
row_parse(const PGresult *res, int row, int col)
{
	const char *text = fl_pg_str(res, row, col, "null");

	return fl_json_parse(text, strlen(text), NULL);
}

/* Written again rather than copied: PostgreSQL's own functions put spaces into it. */
void
row_json(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col)
{
	struct fl_json *v = row_parse(res, row, col);

	if (fl_json_len(v) > 0)
		fl_jsonw_value(w, key, v);
	fl_json_free(v);
}
