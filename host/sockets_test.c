#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host/sockets.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
#define REST " 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0000000000000000 100 0 0 10 0\n"
#define V4(n, addr, state) "   " n ": " addr " 00000000:0000 " state REST
#define V6(n, addr, state) "   " n ": " addr " 00000000000000000000000000000000:0000 " state REST
#define ANY6 "00000000000000000000000000000000"

static void
the_sentence_follows_what_listens(void **state)
{
	static const struct {
		const char *proc, *want;
	} cases[] = {
		{ "", "web did not listen on PORT 55012 within 30 s" },
		{ HEAD HEAD, "web did not listen on PORT 55012 within 30 s" },
		{ HEAD V4("0", "00000000:0BB8", "0A"), "web listens on 3000, but PORT is 55012" },
		{ HEAD V4("0", "0100007F:0BB8", "0A"), "web listens on 3000, but PORT is 55012" },
		{ HEAD V4("0", "0100007F:D6E4", "0A"), "web listens only on 127.0.0.1, so nobody can reach it: listen on 0.0.0.0" },
		{ HEAD V6("0", "00000000000000000000000001000000:D6E4", "0A"),
		    "web listens only on 127.0.0.1, so nobody can reach it: listen on 0.0.0.0" },
		{ HEAD V6("0", "0000000000000000FFFF00000100007F:D6E4", "0A"),
		    "web listens only on 127.0.0.1, so nobody can reach it: listen on 0.0.0.0" },
		{ HEAD V6("0", ANY6 ":D6E4", "0A"), "web listens on port 55012, but did not accept a connection within 30 s" },
		{ HEAD V4("0", "00000000:0BB8", "0A") V4("1", "00000000:1F90", "0A") HEAD V6("0", ANY6 ":1F91", "0A"),
		    "web listens on 3000, 8080 and 8081, but PORT is 55012" },
		/* Established connections and the engine's resolver are no listeners. */
		{ HEAD V4("0", "00000000:0BB8", "01") V4("1", "0B00007F:9C40", "0A"),
		    "web did not listen on PORT 55012 within 30 s" },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct sockets_listener found[SOCKETS_MAX];
		size_t n = sockets_parse(cases[i].proc, found);
		struct fl_buf got = { 0 };

		sockets_explain(found, n, "web", 55012, 30, &got);
		assert_string_equal(fl_buf_cstr(&got), cases[i].want);
		fl_buf_release(&got);
	}
}

static void
what_a_container_prints_is_bounded(void **state)
{
	struct sockets_listener found[SOCKETS_MAX];
	struct fl_buf text = { 0 };

	(void)state;
	for (int i = 1; i < 100; i++)
		fl_buf_addf(&text, "   %d: 00000000:%04X 00000000:0000 0A" REST, i, i);
	assert_int_equal(sockets_parse(fl_buf_cstr(&text), found), SOCKETS_MAX);
	fl_buf_release(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sentence_follows_what_listens),
		cmocka_unit_test(what_a_container_prints_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
