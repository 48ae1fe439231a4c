#include "controller/keys.h"

#include <ctype.h>

#include "controller/answer.h"
#include "controller/body.h"
#include "controller/query.h"
#include "controller/ssh_key.h"
#include "controller/tx.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"

#define COLUMNS "fingerprint, key, comment, micros(created_at)"
#define FINGERPRINT_LEN 32

static void
keys_write(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	fl_jsonw_open(w, key, '{');
	row_str(w, "fingerprint", res, row, 0);
	row_str(w, "key", res, row, 1);
	row_str(w, "comment", res, row, 2);
	row_time(w, "created_at", res, row, 3);
	fl_jsonw_close(w, '}');
}

void
keys_list(struct fl_http_req *req, void *arg)
{
	query_all(arg, req, "SELECT " COLUMNS " FROM keys WHERE deleted_at IS NULL ORDER BY created_at DESC",
	    NULL, 0, keys_write);
}

void
keys_create(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in = body_object(req, BODY_MAX);
	const char *text = "";
	struct ssh_key key = { 0 };
	struct fl_err err = { 0 };

	if (in == NULL || body_str(req, in, "key", SSH_KEY_MAX, &text) == -1)
		return;
	if (ssh_key_parse(text, &key, &err) == -1)
		answer_err(req, "key", &err);
	else
		query_put(arg, req, "INSERT INTO keys (fingerprint, key, comment) VALUES ($1, $2, $3)"
				    " ON CONFLICT (fingerprint) WHERE deleted_at IS NULL DO UPDATE SET fingerprint = excluded.fingerprint"
				    " RETURNING " COLUMNS,
		    (const char *[]){ key.fingerprint, key.key, key.comment }, 3, keys_write, NULL);
	ssh_key_release(&key);
}

/* The path's fingerprint in lower case without colons; what has another length names nothing. */
static void
path_fingerprint(const struct fl_http_req *req, char out[FINGERPRINT_LEN + 1])
{
	const char *p = fl_http_param(req, "fingerprint");
	size_t n = 0;

	for (; *p != '\0' && n < FINGERPRINT_LEN; p++)
		if (*p != ':')
			out[n++] = (char)tolower((unsigned char)*p);
	out[*p == '\0' ? n : 0] = '\0';
}

void
keys_get(struct fl_http_req *req, void *arg)
{
	char fingerprint[FINGERPRINT_LEN + 1];

	path_fingerprint(req, fingerprint);
	query_one(arg, req, "SELECT " COLUMNS " FROM keys WHERE fingerprint = $1 AND deleted_at IS NULL",
	    (const char *[]){ fingerprint }, 1, keys_write);
}

enum { FINGERPRINT };

static enum tx_next
on_deleted(struct tx *tx, const PGresult *res)
{
	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such key");
	return TX_GO_ON;
}

static const struct tx_step delete_steps[] = {
	{ "UPDATE keys SET deleted_at = clock_timestamp() WHERE fingerprint = $1 AND deleted_at IS NULL"
	  " RETURNING fingerprint", 1, { FINGERPRINT }, on_deleted },
};

void
keys_delete(struct fl_http_req *req, void *arg)
{
	struct tx *tx = tx_new(arg, req, delete_steps, fl_nitems(delete_steps));
	char fingerprint[FINGERPRINT_LEN + 1];

	path_fingerprint(req, fingerprint);
	tx_set(tx, FINGERPRINT, fingerprint);
	tx_run(tx);
}
