/*
 * winsize - the size of a client's terminal, told to the engine.
 *
 * One call at a time: two at once may be carried out in either order, and the older size be the last.
 */
#ifndef HOST_WINSIZE_H
#define HOST_WINSIZE_H

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct fl_http_call;

struct winsize_teller {
	struct engine *engine;
	uint16_t rows, cols; /* 0: nobody knows */
	char *target;	     /* "containers/ID" or "exec/ID" */
	struct fl_http_call *call;
	bool again; /* once call has ended */
};

/* Tell it to what kind and id name ("containers", "exec"); nothing if there is none to tell. A failure is logged. */
void winsize_tell(struct winsize_teller *w, struct engine *engine, const char *kind, const char *id);
void winsize_release(struct winsize_teller *w);

#endif
