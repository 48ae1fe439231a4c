/*
 * pull - get an image from its registry.
 */
#ifndef PULL_H
#define PULL_H

struct fl_err;
struct image;
struct job;
struct pull;

/* cb once, from the loop; none after a cancel. image is used during the call only. */
struct pull *pull_start(struct job *j, const struct image *image, void (*cb)(struct job *j, const struct fl_err *err));
void pull_cancel(struct pull *p);

/* The complaint in the engine's report of a pull, a line of JSON each; NULL: it went well. The caller frees. */
char *pull_complaint(const char *report);

#endif
