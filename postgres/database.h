/*
 * database - a role and a database of its own, made and dropped by the superuser.
 */
#ifndef POSTGRES_DATABASE_H
#define POSTGRES_DATABASE_H

#include <stdbool.h>

#include "libflynn/uuid.h"

struct fl_err;
struct fl_pg;

/* What was made: three times 32 hex digits. */
struct database {
	char *user, *password, *name;
};

/* Exactly once, from the loop; db is NULL on error and borrowed otherwise. */
typedef void (*database_cb)(const struct database *db, const struct fl_err *err, void *arg);

void database_create(struct fl_pg *pg, database_cb cb, void *arg);
/* Take "/databases/USER:NAME" apart; false when it is no id of ours. What is taken may stand in a statement. */
bool database_parse_id(const char *id, char user[FL_UUID_LEN + 1], char name[FL_UUID_LEN + 1]);
/* id is "/databases/USER:NAME" as create's caller was told. NOT_FOUND when it is no id of ours. Dropping twice is fine. */
void database_drop(struct fl_pg *pg, const char *id, database_cb cb, void *arg);

#endif
