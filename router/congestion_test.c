#include "router/congestion.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "libflynn/attr.h"

/* In a network of our own. */
static bool
system_chooses(const char *name)
{
	int fd = open("/proc/sys/net/ipv4/tcp_congestion_control", O_WRONLY | O_CLOEXEC);
	bool ok = fd != -1 && write(fd, name, strlen(name)) == (ssize_t)strlen(name);

	close(fd);
	return ok;
}

static void
only_what_paces_is_replaced(FL_UNUSED void **state)
{
	const char *found;

	if (unshare(CLONE_NEWNET) == -1 || !system_chooses("reno"))
		skip();
	assert_null(congestion_for_instances());
	if (!system_chooses("bbr"))
		skip();
	found = congestion_for_instances();
	assert_non_null(found);
	assert_string_not_equal(found, "bbr");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_paces_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
