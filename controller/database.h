/*
 * database - where PostgreSQL is: the leader of a service, or an address that was given.
 */
#ifndef CONTROLLER_DATABASE_H
#define CONTROLLER_DATABASE_H

/*
 * As fl_pg_opts wants it; arg is the controller. NULL while the leader is not known. database_conninfo
 * is what the schema is made with, database_ready_conninfo what all others use: NULL until it stands.
 */
char *database_conninfo(void *arg);
char *database_ready_conninfo(void *arg);

#endif
