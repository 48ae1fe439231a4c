/*
 * engine_events - the engine's stream of what happens to our containers: one JSON object after another.
 */
#ifndef HOST_ENGINE_EVENTS_H
#define HOST_ENGINE_EVENTS_H

#include <stdint.h>

struct engine;
struct engine_event;
struct engine_events;
struct fl_err;

/*
 * What happened since since_us (wall clock) and from now on. on_end once, when the stream ends or could not be had;
 * err may be NULL.
 */
struct engine_events *engine_events_start(struct engine *e, int64_t since_us,
    void (*on_event)(const struct engine_event *ev, void *arg), void (*on_end)(const struct fl_err *err, void *arg), void *arg);
void engine_events_free(struct engine_events *s);

#endif
