/*
 * route_json - a route as its clients write it: with its settings in "config", or, from 2015 on, as flat members.
 */
#ifndef CONTROLLER_ROUTE_JSON_H
#define CONTROLLER_ROUTE_JSON_H

struct fl_buf;
struct fl_json;
struct fl_jsonw;

/*
 * Append what the router is to get of a client's route, in either form, without what is not the client's to say: id,
 * parent and times. parent_ref NULL: none; once NULL: none, else what makes it the same route when it is asked for again.
 */
void route_json_read(const struct fl_json *route, const char *parent_ref, const char *once, struct fl_buf *out);
/* Write a route of the router's for clients of both forms; one that is no object as it is. */
void route_json_write(struct fl_jsonw *w, const char *key, const struct fl_json *route);

#endif
