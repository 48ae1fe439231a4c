/*
 * disposal - one piece of garbage, taken from the database's list and removed where it is: a blob at shelf, an image at
 * the hosts, a volume at its host.
 */
#ifndef CONTROLLER_DISPOSAL_H
#define CONTROLLER_DISPOSAL_H

struct controller;
struct fl_err;

/* The service that keeps slugs and caches. */
#define DISPOSAL_SHELF "shelf"

/*
 * Remove the piece that has been due for longest. cb once, from the loop, unless c ends before: NOT_FOUND when none is due;
 * with another error it stays on the list, due again later.
 */
void disposal_start(struct controller *c, void (*cb)(const struct fl_err *err, void *arg), void *arg);

#endif
