/*
 * refs - which of the pushed refs is deployed, if any may be.
 */
#ifndef GITRECEIVE_REFS_H
#define GITRECEIVE_REFS_H

#include <stdio.h>

struct fl_err;

#define REFS_OID_LEN 40

/*
 * Read what git tells a pre-receive hook (githooks(5): "old new ref" a line). Sets commit to the new head of master or
 * main, "" when only tags are pushed. -1 (INVALID) with a sentence for any other branch, both branches at once, a deletion.
 */
int refs_read(FILE *in, char commit[REFS_OID_LEN + 1], struct fl_err *err);

#endif
