/*
 * pull - an image that the engine does not have, from its registry.
 *
 * What was pulled gets a tag of ours beside its own, made of its id, so that it is known as such when it is not needed any
 * more: images that a person built here are his.
 */
#ifndef HOST_PULL_H
#define HOST_PULL_H

struct fl_err;
struct host;
struct image;
struct pull;

/* The repository of our tags. */
#define PULL_MARK "flynn/pulled"

/*
 * Pull the image, by its digest if it has one. cb is called once, from the loop; with NULL when the engine has the image
 * now. No bytes for a minute end it: then it has failed; UNAVAILABLE is for an engine that went.
 */
struct pull *pull_start(struct host *h, const struct image *image, void (*cb)(const struct fl_err *err, void *arg), void *arg);
/* No callback any more. NULL is fine. */
void pull_cancel(struct pull *p);

/* Our tag of an image: PULL_MARK, a colon and a part of its id. The caller frees. */
char *pull_mark(const char *image_id);
/* The complaint in the engine's report of a pull, which is a line of JSON a step; NULL if there is none. The caller frees. */
char *pull_complaint(const char *report);

#endif
