/*
 * routes - the whole API in one table.
 */
#ifndef CONTROLLER_ROUTES_H
#define CONTROLLER_ROUTES_H

struct controller;
struct fl_err;

int routes_listen(struct controller *c, const char *addr, struct fl_err *err);

#endif
