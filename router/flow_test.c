#include "router/flow.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "libflynn/err.h"
#include "router/block.h"
#include "router/io.h"

#define BODY_BYTES ((size_t)1 << 20)
#define SCRATCH_BYTES ((size_t)16 << 10)

/* A body on its way: sender -> from, flow, to -> receiver. */
struct way {
	struct flow f;
	struct block_pool pool;
	struct block *excess;
	struct io from, to;
	int sender, receiver;
	char *scratch, *sent, *got;
	size_t n_sent, n_got;
};

static struct io
io_of(int fd)
{
	return (struct io){ .fd = fd, .flags = IO_READABLE | IO_WRITABLE | IO_CONNECTED };
}

static int
set_up(void **state)
{
	struct way *w = calloc(1, sizeof(*w));
	int in[2], out[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, in), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, out), 0);
	w->sender = in[0];
	w->from = io_of(in[1]);
	w->to = io_of(out[0]);
	w->receiver = out[1];
	w->scratch = malloc(SCRATCH_BYTES);
	w->sent = malloc(BODY_BYTES);
	w->got = malloc(BODY_BYTES);
	for (size_t i = 0; i < BODY_BYTES; i++)
		w->sent[i] = (char)(i * 31 + i / 4093);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct way *w = *state;

	flow_release(&w->f, &w->pool);
	block_free(&w->pool, w->excess);
	block_pool_release(&w->pool);
	close(w->sender);
	close(w->receiver);
	io_close(&w->from, false);
	io_close(&w->to, false);
	free(w->scratch);
	free(w->sent);
	free(w->got);
	free(w);
	return 0;
}

/* Send and receive what the sockets take, with the flow between them, until it is over. */
static enum flow_result
carry(struct way *w, bool *was_piped)
{
	enum flow_result r = FLOW_BUSY;

	while (r == FLOW_BUSY || r == FLOW_READ_BLOCKED || r == FLOW_WRITE_BLOCKED) {
		ssize_t n;
		struct fl_err err;

		if (w->n_sent < BODY_BYTES && (n = write(w->sender, w->sent + w->n_sent, BODY_BYTES - w->n_sent)) > 0)
			w->n_sent += (size_t)n;
		if (w->n_sent == BODY_BYTES)
			shutdown(w->sender, SHUT_WR);
		w->from.flags |= IO_READABLE;
		w->to.flags |= IO_WRITABLE;
		r = flow_pump(&w->f, &w->from, &w->to, &w->pool, w->scratch, SCRATCH_BYTES, &w->excess, &err);
		*was_piped |= w->f.pipe != NULL || w->pool.pipes.n_free > 0;
		while (w->n_got < BODY_BYTES && (n = read(w->receiver, w->got + w->n_got, BODY_BYTES - w->n_got)) > 0)
			w->n_got += (size_t)n;
	}
	return r;
}

static void
assert_carried(struct way *w, enum flow_body body, uint64_t length, bool want_piped)
{
	bool was_piped = false;

	flow_init(&w->f, body, length);
	assert_int_equal(carry(w, &was_piped), FLOW_DONE);
	assert_int_equal(was_piped, want_piped);
	assert_int_equal(w->n_got, BODY_BYTES);
	assert_memory_equal(w->got, w->sent, BODY_BYTES);
	assert_false(flow_holds(&w->f));
}

static void
long_bodies_go_by_a_pipe(void **state)
{
	assert_carried(*state, FLOW_LENGTH, BODY_BYTES, true);
}

static void
tunnels_go_by_a_pipe_while_much_comes(void **state)
{
	assert_carried(*state, FLOW_UNTIL_EOF, 0, true);
}

static void
bodies_are_copied_when_no_pipe_can_be_had(void **state)
{
	struct rlimit was, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){ 0, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_carried(*state, FLOW_LENGTH, BODY_BYTES, false);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

static void
a_pipe_takes_no_byte_behind_the_body(void **state)
{
	struct way *w = *state;
	bool was_piped = false;

	flow_init(&w->f, FLOW_LENGTH, BODY_BYTES - 100);
	assert_int_equal(carry(w, &was_piped), FLOW_DONE);
	assert_true(was_piped);
	assert_int_equal(w->n_got, BODY_BYTES - 100);
}

static void
a_body_cut_short_is_told(void **state)
{
	struct way *w = *state;
	bool was_piped = false;

	flow_init(&w->f, FLOW_LENGTH, 2 * BODY_BYTES);
	assert_int_equal(carry(w, &was_piped), FLOW_CUT);
	assert_int_equal(w->n_got, BODY_BYTES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(long_bodies_go_by_a_pipe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tunnels_go_by_a_pipe_while_much_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bodies_are_copied_when_no_pipe_can_be_had, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_pipe_takes_no_byte_behind_the_body, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_body_cut_short_is_told, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
