/*
 * deploy - one deployment that is ours, carried out a step at a time.
 *
 * Nothing is kept here but what is under way: each look reads from the database what is asked for and what runs, and each
 * step is one statement that does nothing once the deployment is another's, or has ended.
 */
#ifndef CONTROLLER_DEPLOY_H
#define CONTROLLER_DEPLOY_H

#include <stdbool.h>

#include "libflynn/list.h"
#include "libflynn/uuid.h"

struct controller;
struct release_phase;

struct deploy {
	LIST_ENTRY(deploy) link;
	struct controller *c;
	const char *owner; /* borrowed: in whose name we have the lease */
	char id[FL_UUID_LEN + 1], app[FL_UUID_LEN + 1];
	bool busy, dirty; /* a statement is under way; look again after it */
	bool lost;	  /* not ours any more, or ended: freed when its statement ends */
	bool phase_sent;  /* a host has the job of its release phase */
	struct release_phase *phase; /* being brought on */
};

LIST_HEAD(deploys, deploy);

/* In list, which it leaves when it has ended or is ours no more; nothing is done before it is looked at. Ids are copied. */
struct deploy *deploy_new(struct deploys *list, struct controller *c, const char *owner, const char *id, const char *app);
/* Something may have changed: do what is to be done now. p may go when the loop runs again. */
void deploy_look(struct deploy *p);
/* Let go of it; the deployment itself stands as it is. None of its statements may be answered afterwards. */
void deploy_free(struct deploy *p);

#endif
