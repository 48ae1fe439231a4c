/*
 * scheduler_formations - the controller's formation stream, taken into the world.
 */
#ifndef CONTROLLER_SCHEDULER_FORMATIONS_H
#define CONTROLLER_SCHEDULER_FORMATIONS_H

#include <stdbool.h>

struct formations;
struct scheduler;

struct formations *formations_start(struct scheduler *s);
/* Whether the controller has told us all once: before that nothing may be decided. */
bool formations_known(const struct formations *f);
/* The controller's ip:port now, borrowed; NULL: not known. */
const char *formations_controller(const struct formations *f);
void formations_free(struct formations *f);

#endif
