/*
 * err - why something failed: a kind for programs, a sentence for people.
 *
 * Functions that can fail return -1 or NULL and take a struct fl_err * last. It is
 * the caller's, may be NULL, and is untouched on success.
 */
#ifndef FL_ERR_H
#define FL_ERR_H

#include "libflynn/attr.h"

enum fl_err_kind {
	FL_ERR_NONE,
	FL_ERR_INVALID,	    /* the input is wrong: 400 */
	FL_ERR_DENIED,	    /* 401 */
	FL_ERR_NOT_FOUND,   /* 404 */
	FL_ERR_CONFLICT,    /* 409 */
	FL_ERR_TOO_BIG,	    /* 413 */
	FL_ERR_TIMEOUT,	    /* 504 */
	FL_ERR_UNAVAILABLE, /* a part we need is away, try again: 503 */
	FL_ERR_NO_SPACE,    /* 507 */
	FL_ERR_SYSTEM,	    /* 500 */
	FL_ERR_MAX
};

struct fl_err {
	enum fl_err_kind kind;
	char msg[508];
};

/* All of these return -1, so that a failure is raised and returned at once. */
int fl_err_set(struct fl_err *err, enum fl_err_kind kind, const char *fmt, ...) FL_PRINTF(3, 4);
/* As set, with FL_ERR_SYSTEM (ENOSPC: NO_SPACE) and ": " and errno's text behind. */
int fl_err_sys(struct fl_err *err, const char *fmt, ...) FL_PRINTF(2, 3);
/* Put what we were doing in front of an error that is set already. */
int fl_err_wrap(struct fl_err *err, const char *fmt, ...) FL_PRINTF(2, 3);

/* The kind's name on the wire: "invalid", "not_found", ... */
const char *fl_err_code(enum fl_err_kind kind);
/* The HTTP status of a kind, and the kind of a status that is not 2xx. */
int fl_err_status(enum fl_err_kind kind);
enum fl_err_kind fl_err_of_status(int status);

#endif
