/*
 * row - columns of a query's row as members of a JSON object.
 *
 * SQL NULL and empty values are left out, as clients expect. Times are selected with
 * micros(), the schema's function.
 */
#ifndef CONTROLLER_ROW_H
#define CONTROLLER_ROW_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "libflynn/uuid.h"

struct fl_json;
struct fl_jsonw;

/* Writes one row as a value under key (NULL in arrays and at the top). */
typedef void (*row_writer)(struct fl_jsonw *w, const char *key, const PGresult *res, int row);

void row_str(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col);
/* A uuid, without its hyphens. */
void row_id(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col);
void row_time(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col);
void row_int(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col);
/* A json column; an empty object or array counts as empty. */
void row_json(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col);
/* A json column, parsed, which the caller frees; JSON null for NULL. */
struct fl_json *row_parse(const PGresult *res, int row, int col);
bool row_bool(const PGresult *res, int row, int col);
bool row_is_null(const PGresult *res, int row, int col);
/* A uuid column without its hyphens; "" for NULL. */
void row_get_id(const PGresult *res, int row, int col, char out[FL_UUID_LEN + 1]);

#endif
