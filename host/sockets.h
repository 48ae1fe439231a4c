/*
 * sockets - why nobody can reach a job: what its container really listens on.
 */
#ifndef HOST_SOCKETS_H
#define HOST_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

struct fl_buf;
struct job;
struct sockets;

#define SOCKETS_MAX 16

struct sockets_listener {
	int port;
	bool loopback; /* only on 127.0.0.0/8 or ::1 */
};

/*
 * Read /proc/net/tcp and tcp6 as the kernel prints them: the listeners, each port once, at most SOCKETS_MAX. The
 * engine's own resolver inside the container is left out.
 */
size_t sockets_parse(const char *text, struct sockets_listener out[SOCKETS_MAX]);
/* Whether somebody listens on the port where others can reach him. */
bool sockets_reach(const struct sockets_listener *found, size_t n, int port);
/* The sentence for a job called what that was to listen on port and did not within timeout_s. */
void sockets_explain(const struct sockets_listener *found, size_t n, const char *what, int port, int timeout_s, struct fl_buf *out);

/*
 * Ask the container. cb once, from the loop, with what there is to read ("" when it cannot be asked, which an image
 * without cat(1) cannot). None after a cancel.
 */
struct sockets *sockets_start(struct job *j, void (*cb)(struct job *j, const char *text));
void sockets_cancel(struct sockets *s);

#endif
