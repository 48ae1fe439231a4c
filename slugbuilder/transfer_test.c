#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "slugbuilder/download.h"
#include "slugbuilder/upload.h"

/* A server that says the same to each of n connections, after it has read their head and want bytes. */
struct server {
	pid_t pid;
	int port;
	int fd;
};

static void
answer(int fd, const char *text, size_t len, size_t want)
{
	char head[65536];
	size_t got = 0;
	char *end = NULL;

	while (end == NULL || got < (size_t)(end + 4 - head) + want) {
		ssize_t n = read(fd, head + got, sizeof(head) - 1 - got);

		if (n <= 0)
			break;
		got += n;
		head[got] = '\0';
		end = strstr(head, "\r\n\r\n");
	}
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n <= 0)
			break;
		text += n;
		len -= n;
	}
	close(fd);
}

static struct server
serve(const char *text, size_t len, int n, size_t want)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t addr_len = sizeof(addr);
	struct server s = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };

	assert_int_equal(bind(s.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(s.fd, 10), 0);
	assert_int_equal(getsockname(s.fd, (struct sockaddr *)&addr, &addr_len), 0);
	s.port = ntohs(addr.sin_port);
	if ((s.pid = fork()) == 0) {
		signal(SIGPIPE, SIG_IGN);
		for (int i = 0; i < n; i++)
			answer(accept(s.fd, NULL, NULL), text, len, want);
		_exit(0);
	}
	close(s.fd);
	return s;
}

/* Waits until it has answered as often as it was to. */
static void
server_end(const struct server *s)
{
	int status = 0;

	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	assert_int_equal(status, 0);
}

static void
url_of(const struct server *s, char url[64])
{
	snprintf(url, 64, "http://127.0.0.1:%d/x?sig=secret", s->port);
}

static void
the_whole_body_comes_in_blocks(FL_UNUSED void **state)
{
	size_t size = 3000000, seen = 0;
	struct fl_buf text = { 0 };
	const void *block = NULL;
	struct fl_err err = { 0 };
	struct download *d;
	struct server s;
	char url[64];
	ssize_t n;

	fl_buf_addf(&text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
	for (size_t i = 0; i < size; i++)
		fl_buf_addc(&text, (char)('a' + i % 23));
	s = serve(text.data, text.len, 1, 0);
	url_of(&s, url);
	assert_non_null(d = download_new(url, &err));
	while ((n = download_read(d, &block, &err)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(((const char *)block)[i], 'a' + (seen + i) % 23);
		assert_in_range(n, 1, 1 << 20);
		seen += n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(seen, size);
	assert_int_equal(download_read(d, &block, &err), 0);
	download_free(d);
	server_end(&s);
	fl_buf_release(&text);
}

static void
a_body_that_is_cut_is_an_error(FL_UNUSED void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this";
	struct server s = serve(text, sizeof(text) - 1, 1, 0);
	const void *block = NULL;
	struct fl_err err = { 0 };
	struct download *d;
	char url[64];
	ssize_t n;

	url_of(&s, url);
	assert_non_null(d = download_new(url, &err));
	while ((n = download_read(d, &block, &err)) > 0)
		;
	assert_int_equal(n, -1);
	assert_int_equal(err.kind, FL_ERR_UNAVAILABLE);
	assert_null(strstr(err.msg, "secret"));
	download_free(d);
	server_end(&s);
}

static void
other_statuses_tell_their_reason(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		enum fl_err_kind kind;
		const char *want;
	} cases[] = {
		{ "HTTP/1.1 404 Not Found\r\nContent-Length: 42\r\n\r\n{\"code\":\"not_found\",\"message\":\"no slug x\"}",
		    FL_ERR_NOT_FOUND, "answered 404: no slug x" },
		{ "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nwhat", FL_ERR_DENIED, "answered 403" },
		{ "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", FL_ERR_UNAVAILABLE, "answered 503" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct server s = serve(cases[i].text, strlen(cases[i].text), 1, 0);
		struct fl_err err = { 0 };
		char url[64];

		url_of(&s, url);
		assert_null(download_new(url, &err));
		assert_int_equal(err.kind, cases[i].kind);
		assert_non_null(strstr(err.msg, cases[i].want));
		assert_null(strstr(err.msg, "secret"));
		server_end(&s);
	}
}

static void
nobody_there_is_unavailable(FL_UNUSED void **state)
{
	struct server s = serve("", 0, 0, 0);
	struct fl_err err = { 0 };
	char url[64];

	server_end(&s);
	url_of(&s, url);
	assert_null(download_new(url, &err));
	assert_int_equal(err.kind, FL_ERR_UNAVAILABLE);
}

/* Sends ten bytes to a server that answers n times with text. */
static int
send_ten(const char *text, int n, struct fl_err *err)
{
	struct server s = serve(text, strlen(text), n, 10);
	FILE *f = tmpfile();
	char url[64];
	int rc;

	fputs("0123456789", f);
	fflush(f);
	url_of(&s, url);
	rc = upload(url, fileno(f), 10, "text/plain", err);
	fclose(f);
	server_end(&s);
	return rc;
}

static void
an_upload_is_done_when_the_server_says_so(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		int connections;
		int rc;
		enum fl_err_kind kind;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1, 0, FL_ERR_NONE },
		{ "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 1, 0, FL_ERR_NONE },
		{ "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", 1, -1, FL_ERR_DENIED },
		{ "HTTP/1.1 507 Full\r\nContent-Length: 0\r\n\r\n", 1, -1, FL_ERR_NO_SPACE },
		{ "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 3, -1, FL_ERR_UNAVAILABLE },
		{ "", 3, -1, FL_ERR_UNAVAILABLE },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_int_equal(send_ten(cases[i].text, cases[i].connections, &err), cases[i].rc);
		assert_int_equal(err.kind, cases[i].kind);
		assert_null(strstr(err.msg, "secret"));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_body_comes_in_blocks),
		cmocka_unit_test(a_body_that_is_cut_is_an_error),
		cmocka_unit_test(other_statuses_tell_their_reason),
		cmocka_unit_test(nobody_there_is_unavailable),
		cmocka_unit_test(an_upload_is_done_when_the_server_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
