/*
 * relay - copy bytes both ways between two connections, with half-close and back pressure.
 */
#ifndef FL_RELAY_H
#define FL_RELAY_H

struct bufferevent;
struct fl_relay;

/*
 * Owns both from now on. An end of one side's input shuts down the other's output; when both have
 * ended or one has failed, both are closed and on_end (may be NULL) is called once.
 */
struct fl_relay *fl_relay_start(struct bufferevent *a, struct bufferevent *b, void (*on_end)(void *arg), void *arg);
void fl_relay_free(struct fl_relay *r);

#endif
