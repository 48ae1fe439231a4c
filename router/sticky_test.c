/* The cookie of sticky routes: made, believed, doubted. */
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/http_parse.h"
#include "router/path.h"
#include "router/sticky.h"
#include "router/table.h"

#define NOW INT64_C(1400000000)

struct world {
	unsigned char key[STICKY_KEY_LEN];
	EVP_MAC_CTX *mac;
};

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	sticky_derive_key(w->key, "cluster key");
	w->mac = sticky_mac_new(w->key);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	EVP_MAC_CTX_free(w->mac);
	free(w);
	return 0;
}

/* A request with these headers. */
static struct sticky *
read_at(EVP_MAC_CTX *mac, const char *host, const char *path, const char *headers, int64_t now_s)
{
	struct target *t = target_new(&(struct target_spec){ .key = host, .path = path, .sticky = true });
	static char text[8192];
	struct fl_http_head h;
	struct sticky *s;

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
	assert_int_equal(fl_http_parse_request(text, strlen(text), &h, NULL), FL_HTTP_PARSE_DONE);
	s = sticky_read(mac, t, &h, false, now_s);
	target_free(t);
	return s;
}

/* The instance that a request is believed to name; 0: none. */
static uint64_t
named(EVP_MAC_CTX *mac, const char *host, const char *path, const char *headers, int64_t now_s)
{
	struct sticky *s = read_at(mac, host, path, headers, now_s);
	uint64_t instance = s->instance;

	free(s);
	return instance;
}

/* "Cookie: _backend=..." that a client of the route sends after it was given one. */
static const char *
cookie(EVP_MAC_CTX *mac, const char *host, const char *path, uint64_t instance)
{
	static char line[128];
	char out[STICKY_VALUE_MAX];
	struct sticky *s = read_at(mac, host, path, "", NOW);
	size_t n = sticky_write(mac, s, instance, NOW, out);

	assert_true(n > 0);
	out[n] = '\0';
	*strchr(out, ';') = '\0';
	snprintf(line, sizeof(line), "Cookie: %.100s\r\n", out);
	free(s);
	return line;
}

static void
cookie_is_believed_by_its_route_only_and_while_it_lasts(void **state)
{
	struct world *w = *state;
	const char *line = cookie(w->mac, "a.com", "/api", 77);
	char other[256], forged[256];
	unsigned char key[STICKY_KEY_LEN];
	EVP_MAC_CTX *mac;

	assert_int_equal(named(w->mac, "a.com", "/api", line, NOW), 77);
	assert_int_equal(named(w->mac, "a.com", "/api", line, NOW + STICKY_TTL_S - 1), 77);
	assert_int_equal(named(w->mac, "a.com", "/api", line, NOW + STICKY_TTL_S), 0);
	assert_int_equal(named(w->mac, "a.com", NULL, line, NOW), 0);
	assert_int_equal(named(w->mac, "b.com", "/api", line, NOW), 0);
	snprintf(other, sizeof(other), "Cookie: a=b; c; %.*s ;d=e\r\n", (int)strlen(line) - 10, line + 8);
	assert_int_equal(named(w->mac, "a.com", "/api", other, NOW), 77);
	for (size_t i = strlen("Cookie: _backend="); i < strlen(line) - 2; i++) {
		strcpy(forged, line);
		forged[i] = forged[i] == '0' ? '1' : '0';
		assert_int_equal(named(w->mac, "a.com", "/api", forged, NOW), 0);
	}
	sticky_derive_key(key, "another cluster's key");
	mac = sticky_mac_new(key);
	assert_int_equal(named(mac, "a.com", "/api", line, NOW), 0);
	EVP_MAC_CTX_free(mac);
}

static void
what_is_no_cookie_of_ours_is_none(void **state)
{
	static const char *const lines[] = { "", "Cookie: \r\n", "Cookie: _backend=\r\n", "Cookie: _backend=zz\r\n", "Cookie: ;;; ;_backend\r\n",
		"Cookie: _backend=00000000000000000000000000000000000000000000000000000000000000zz\r\n",
		"Cookie: _backend=0000000000000000000000000000000000000000000000000000000000000000\r\n" };
	struct world *w = *state;

	for (size_t i = 0; i < fl_nitems(lines); i++)
		assert_int_equal(named(w->mac, "a.com", NULL, lines[i], NOW), 0);
}

static void
right_one_is_found_among_others(void **state)
{
	struct world *w = *state;
	char both[512];
	int n = snprintf(both, sizeof(both), "%s", cookie(w->mac, "a.com", "/api", 1));

	snprintf(both + n, sizeof(both) - (size_t)n, "%s", cookie(w->mac, "a.com", NULL, 2));
	assert_int_equal(named(w->mac, "a.com", NULL, both, NOW), 2);
	assert_int_equal(named(w->mac, "a.com", "/api", both, NOW), 1);
}

/* Each costs a MAC, and a client may send as many as a head has room for. */
static void
few_that_look_like_ours_are_looked_at(void **state)
{
	static const char forged[] = "Cookie: _backend=0000000000000000000000000000000000000000000000000000000000000000\r\n";
	struct world *w = *state;
	char lines[4096];

	for (int n_before = 7; n_before <= 8; n_before++) {
		char *at = lines;

		for (int i = 0; i < n_before; i++)
			at = stpcpy(at, forged);
		stpcpy(at, cookie(w->mac, "a.com", NULL, 77));
		assert_int_equal(named(w->mac, "a.com", NULL, lines, NOW), n_before < 8 ? 77 : 0);
	}
}

static void
cookie_is_given_when_it_is_needed(void **state)
{
	struct world *w = *state;
	char line[128], out[STICKY_VALUE_MAX], path[PATH_MAX_ROUTE + 1];
	struct sticky *s;

	strcpy(line, cookie(w->mac, "a.com", NULL, 77));
	s = read_at(w->mac, "a.com", NULL, line, NOW + 10);
	assert_int_equal(sticky_write(w->mac, s, 77, NOW + 10, out), 0);
	assert_true(sticky_write(w->mac, s, 78, NOW + 10, out) > 0); /* it went elsewhere */
	free(s);
	s = read_at(w->mac, "a.com", NULL, line, NOW + STICKY_TTL_S / 2);
	assert_true(sticky_write(w->mac, s, 77, NOW + STICKY_TTL_S / 2, out) > 0); /* old */
	free(s);
	memset(path, 0xc3, sizeof(path)); /* the longest */
	path[0] = '/';
	path[PATH_MAX_ROUTE] = '\0';
	s = read_at(w->mac, "a.com", path, "", NOW);
	s->is_secure = true;
	assert_in_range(sticky_write(w->mac, s, 77, NOW, out), 800, STICKY_VALUE_MAX);
	free(s);
}

static void
attributes_are_those_of_the_route(void **state)
{
	struct world *w = *state;
	struct sticky *s = read_at(w->mac, "a.com", "/b\xc3\xbc", "", NOW);
	char out[STICKY_VALUE_MAX + 1];

	out[sticky_write(w->mac, s, 1, NOW, out)] = '\0';
	assert_non_null(strstr(out, "; Path=/b%C3%BC; HttpOnly; SameSite=Lax"));
	s->is_secure = true;
	out[sticky_write(w->mac, s, 1, NOW, out)] = '\0';
	assert_non_null(strstr(out, "; Path=/b%C3%BC; HttpOnly; Secure; SameSite=Lax"));
	free(s);
	s = read_at(w->mac, "a.com", NULL, "", NOW);
	out[sticky_write(w->mac, s, 1, NOW, out)] = '\0';
	assert_non_null(strstr(out, "; Path=/; "));
	free(s);
}

static void
ids_are_of_the_address_and_the_key(void **state)
{
	struct world *w = *state;
	unsigned char key[STICKY_KEY_LEN];

	sticky_derive_key(key, "another");
	assert_int_equal(sticky_instance_id(w->key, "10.0.0.1:1"), sticky_instance_id(w->key, "10.0.0.1:1"));
	assert_int_not_equal(sticky_instance_id(w->key, "10.0.0.1:1"), sticky_instance_id(w->key, "10.0.0.1:2"));
	assert_int_not_equal(sticky_instance_id(w->key, "10.0.0.1:1"), sticky_instance_id(key, "10.0.0.1:1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cookie_is_believed_by_its_route_only_and_while_it_lasts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_cookie_of_ours_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(right_one_is_found_among_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(few_that_look_like_ours_are_looked_at, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cookie_is_given_when_it_is_needed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(attributes_are_those_of_the_route, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ids_are_of_the_address_and_the_key, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
