/*
 * migrations - the statements that make the tables, and bring older ones up to date.
 */
#ifndef CONTROLLER_MIGRATIONS_H
#define CONTROLLER_MIGRATIONS_H

#include <stddef.h>

struct migration {
	int version;
	const char *sql; /* one statement */
};

/*
 * By version. One that has been released never changes: what comes later is a version of its own, and the last statement
 * of each writes it down.
 */
extern const struct migration migrations[];
extern const size_t n_migrations;

#endif
