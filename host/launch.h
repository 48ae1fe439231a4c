/*
 * launch - from a queued job to one that is up: image, volumes, container, start, health, discoverd.
 */
#ifndef HOST_LAUNCH_H
#define HOST_LAUNCH_H

struct job;

/* Launch a queued job whose turn it is. Its container is started again if it has one. */
void launch_start(struct job *j);
/* Take over a container that runs already. */
void launch_adopt(struct job *j);
/* The streams that the start waited for are there (attach.h). */
void launch_attached(struct job *j);

#endif
