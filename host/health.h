/*
 * health - wait until a job that was just started answers on the ports that are services.
 *
 * It asks at the container's own address: on the published one the engine's proxy would answer for a job that does
 * not listen yet. A job without such ports is healthy when it has not ended within its first second.
 */
#ifndef HOST_HEALTH_H
#define HOST_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

struct fl_buf;
struct fl_job_port;
struct health;
struct job;

/* Which port did not become healthy, and what was last seen there. */
struct health_failure {
	size_t port;	  /* index of the job's ports */
	int timeout_s;
	int status; /* of the last answer, of a check by HTTP that had one; 0: none */
	char seen[160];
};

/* cb once, from the loop: failure NULL when all ports are healthy. None after a cancel. */
struct health *health_start(struct job *j, void (*cb)(struct job *j, const struct health_failure *failure));
void health_cancel(struct health *h);

/* The sentence for a port that is checked by HTTP: "GET /up answered 500 for 30 s". */
void health_explain(const struct fl_job_port *port, int status, struct fl_buf *out);

/* Milliseconds to wait before try number n (from 1): short at first, since most answer at once. */
int health_delay_ms(int n);

#endif
