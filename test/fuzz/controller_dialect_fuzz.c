/*
 * controller_dialect_fuzz - what an attached client and its host may say: pieces of the input go to one or the other, who end
 * their sides. Whatever it is, both connections are closed, and that is told once.
 *
 * The first byte: whether there is a terminal. Then pieces: a byte with the side in its highest bit and a length of up to 127.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/dialect.h"
#include "libflynn/clock.h"
#include "test/fuzz/expect.h"

#define END_MS 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_end(void *arg)
{
	int *ended = arg;

	++*ended;
}

static struct bufferevent *
new_side(struct event_base *base, int *theirs)
{
	int fds[2];

	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	*theirs = fds[1];
	return bufferevent_socket_new(base, fds[0], BEV_OPT_CLOSE_ON_FREE);
}

static void
swallow(int fd)
{
	char piece[4096];

	while (recv(fd, piece, sizeof(piece), 0) > 0)
		;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	int fds[2], ended = 0;
	struct bufferevent *sides[2];
	int64_t until_ms;

	if (base == NULL)
		base = event_base_new();
	if (size == 0)
		return 0;
	for (int i = 0; i < 2; i++)
		sides[i] = new_side(base, &fds[i]);
	dialect_start(sides[0], sides[1], data[0] & 1, on_end, &ended);
	for (size_t at = 1; at < size;) {
		size_t side = data[at] >> 7, len = data[at] & 127;

		at++;
		len = len < size - at ? len : size - at;
		if (len > 0)
			send(fds[side], data + at, len, MSG_NOSIGNAL);
		at += len;
		event_base_loop(base, EVLOOP_NONBLOCK);
		swallow(fds[0]);
		swallow(fds[1]);
	}
	shutdown(fds[1], SHUT_WR);
	event_base_loop(base, EVLOOP_NONBLOCK);
	shutdown(fds[0], SHUT_WR);
	for (until_ms = fl_clock_ms() + END_MS; ended == 0; expect(fl_clock_ms() < until_ms)) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		swallow(fds[0]);
		swallow(fds[1]);
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
	expect(ended == 1);
	close(fds[0]);
	close(fds[1]);
	return 0;
}
