/*
 * restore - compare what is wanted with what the engine has, and act on the difference.
 *
 * Done at our own start and whenever the engine comes back, since nobody knows what happened meanwhile.
 */
#ifndef HOST_RESTORE_H
#define HOST_RESTORE_H

#include <stdbool.h>

struct host;
struct restore;

struct restore *restore_new(struct host *h);
void restore_free(struct restore *r);
/* From the loop, soon: look. Many requests make one look. */
void restore_request(struct host *h);

enum restore_verdict {
	RESTORE_ADOPT,	/* runs as it should: take it over */
	RESTORE_LAUNCH, /* should run, and does not */
	RESTORE_STOP,	/* runs, and should not */
	RESTORE_ENDED,	/* ended while nobody looked: see how */
	RESTORE_LOST,	/* ended, and nothing is left to see */
	RESTORE_VERDICT_MAX
};

struct restore_facts {
	bool wanted;
	bool once;	    /* must not run twice */
	bool bound;	    /* belongs to an attacher, who is gone */
	bool has_container, running;
};

/* The decision, without I/O. */
enum restore_verdict restore_decide(const struct restore_facts *f);

#endif
