/*
 * complete - what may follow the words typed so far, by the table of commands alone.
 */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "libflynn/buf.h"

struct command;

struct complete {
	struct fl_buf found;	       /* words that are known here, one a line; all begin with prefix */
	const char *prefix;	       /* the last word, which is being typed; borrowed from argv */
	const struct command *command; /* NULL: none is complete yet */
	char *meta; /* what the help calls what is to be typed: "TYPE", "FILE", "APP", "CLUSTER"; NULL: nothing */
	const char *app, *cluster; /* of -a and -c, borrowed; NULL: not said */
};

/* argv is what stands behind "flynn", the last word perhaps empty. */
void complete_words(struct complete *c, int argc, char **argv);
/* A word that fits the prefix goes among the found ones. end is put behind it: "=" or "". */
void complete_add(struct complete *c, const char *word, const char *end);
void complete_release(struct complete *c);

#endif
