#include "libflynn/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define ID "host1-0123456789abcdef0123456789abcdef"
#define URI "https://registry.hub.docker.com/flynn/x?id=sha256abc"
#define ARTIFACT "\"artifact\":{\"type\":\"docker\",\"uri\":\"" URI "\"}"

static struct fl_job *
parse(const char *text, struct fl_err *err)
{
	struct fl_json *v = fl_json_parse(text, strlen(text), NULL);
	struct fl_job *j = NULL;

	assert_non_null(v);
	j = fl_job_parse(v, err);
	fl_json_free(v);
	return j;
}

static void
the_smallest_job_has_the_defaults(FL_UNUSED void **state)
{
	struct fl_job *j = parse("{\"id\":\"" ID "\",\"artifact\":{\"uri\":\"" URI "\"},\"unknown\":1}", NULL);

	assert_non_null(j);
	assert_string_equal(j->id, ID);
	assert_string_equal(j->artifact_type, "docker");
	assert_string_equal(j->artifact_uri, URI);
	assert_int_equal(j->stop_timeout_s, 10);
	assert_null(j->entrypoint);
	assert_null(j->cmd);
	assert_null(j->working_dir);
	assert_false(j->system || j->tty || j->stdin_open || j->host_network || j->stop_on_detach);
	assert_int_equal(j->n_ports + j->n_volumes, 0);
	assert_int_equal(fl_map_count(j->env) + fl_map_count(j->metadata), 0);
	fl_job_free(j);
	fl_job_free(NULL);
}

static const char whole[] =
    "{\"id\":\"" ID "\",\"metadata\":{\"flynn-controller.app\":\"a\",\"k\":\"\"}," ARTIFACT ","
    "\"resources\":{\"memory\":1073741824,\"cpu\":500},\"system\":true,"
    "\"config\":{\"entrypoint\":[\"/runner/init\"],\"cmd\":[\"start\",\"\",\"web\"],\"env\":{\"A\":\"1\",\"_b2\":\"x=y\"},"
    "\"tty\":true,\"stdin\":true,\"working_dir\":\"/app\",\"host_network\":true,\"stop_on_detach\":true,\"stop_timeout_s\":0,"
    "\"ports\":[{\"port\":0,\"proto\":\"tcp\",\"service\":{\"name\":\"x-web\",\"check\":{\"type\":\"http\",\"path\":\"/ping\",\"status\":204,\"timeout_s\":5}}},"
    "{\"port\":53,\"proto\":\"udp\"},{\"port\":53,\"proto\":\"tcp\",\"service\":{\"name\":\"dns\",\"check\":{\"type\":\"none\",\"timeout_s\":30}}}],"
    "\"volumes\":[{\"name\":\"postgres\",\"target\":\"/data\"},{\"name\":\"a.b-c_d\",\"target\":\"/x/..y/\"}]}}";

static void
what_is_read_is_written_again(FL_UNUSED void **state)
{
	struct fl_job *j = parse(whole, NULL);
	struct fl_buf b = { 0 };

	assert_non_null(j);
	fl_job_write(j, &b);
	assert_string_equal(fl_buf_cstr(&b), whole);
	assert_int_equal(j->memory_bytes, 1073741824);
	assert_string_equal(j->cmd[2], "web");
	assert_null(j->cmd[3]);
	assert_string_equal(j->ports[0].check_path, "/ping");
	assert_int_equal(j->ports[0].check_status, 204);
	assert_int_equal(j->ports[0].timeout_s, 5);
	assert_null(j->ports[1].service);
	fl_buf_release(&b);
	fl_job_free(j);
}

static void
a_job_made_by_hand_survives_the_wire(FL_UNUSED void **state)
{
	struct fl_job *j = fl_job_new(), *again = NULL;
	struct fl_job_port *p = NULL;
	struct fl_buf b = { 0 }, b2 = { 0 };
	char *host = NULL;

	fl_job_set_id(j, "h");
	fl_job_set_id(j, "host2");
	j->artifact_uri = fl_xstrdup(URI);
	fl_job_set_env(j, "A", "1");
	fl_job_set_env(j, "A", "2");
	fl_job_set_meta(j, FL_JOB_META_APP, "x");
	p = fl_job_add_port(j, 5432);
	p->service = fl_xstrdup("postgres");
	fl_job_add_volume(j, "data", "/data");
	j->cmd = fl_job_words((const char *const[]){ "a", "b" }, 2);
	fl_job_write(j, &b);
	again = parse(b.data, NULL);
	assert_non_null(again);
	fl_job_write(again, &b2);
	assert_string_equal(b.data, b2.data);
	assert_string_equal(fl_map_get(again->env, "A"), "2");
	assert_string_equal(again->ports[0].check, "tcp");
	assert_int_equal(again->ports[0].timeout_s, 30);
	host = fl_job_id_host(again->id);
	assert_string_equal(host, "host2");
	free(host);
	fl_buf_release(&b);
	fl_buf_release(&b2);
	fl_job_free(j);
	fl_job_free(again);
	assert_null(fl_job_words(NULL, 0));
	fl_job_words_free(NULL);
}

static void
only_job_ids_have_a_host(FL_UNUSED void **state)
{
	static const char *const bad[] = {
		"", "host1", "-0123456789abcdef0123456789abcdef", "host1-0123456789abcdef0123456789abcde",
		"host1-0123456789abcdef0123456789abcdef0", "host1-0123456789ABCDEF0123456789abcdef",
		"a-b-0123456789abcdef0123456789abcdef", "h/x-0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-0123456789abcdef0123456789abcdef",
	};

	for (size_t i = 0; i < fl_nitems(bad); i++)
		assert_null(fl_job_id_host(bad[i]));
}

#define JOB(rest) "{\"id\":\"" ID "\"," ARTIFACT "," rest "}"
#define CONFIG(rest) JOB("\"config\":{" rest "}")

static void
what_is_wrong_is_named(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "[]", "a job must be an object" },
		{ "{" ARTIFACT "}", "a job needs an \"id\" of the form <host>-<32 hex digits>" },
		{ "{\"id\":\"x\"," ARTIFACT "}", "a job needs an \"id\" of the form <host>-<32 hex digits>" },
		{ "{\"id\":7," ARTIFACT "}", "\"id\" must be a string" },
		{ "{\"id\":\"" ID "\"}", "a job needs an artifact with a \"uri\"" },
		{ "{\"id\":\"" ID "\",\"artifact\":{\"uri\":\"\"}}", "a job needs an artifact with a \"uri\"" },
		{ "{\"id\":\"" ID "\",\"artifact\":[]}", "\"artifact\" must be an object" },
		{ "{\"id\":\"" ID "\",\"artifact\":{\"type\":\"tar\",\"uri\":\"x\"}}", "artifact type \"tar\" is unknown" },
		{ JOB("\"metadata\":{\"a\":1}"), "\"metadata\": \"a\" must be a string" },
		{ JOB("\"system\":1"), "\"system\" must be true or false" },
		{ JOB("\"resources\":{\"memory\":-1}"), "\"memory\" must be a whole number from 0 to 9223372036854775807" },
		{ JOB("\"resources\":{\"cpu\":0.5}"), "\"cpu\" must be a whole number from 0 to 1000000" },
		{ JOB("\"config\":7"), "\"config\" must be an object" },
		{ CONFIG("\"cmd\":\"x\""), "\"cmd\" must be an array" },
		{ CONFIG("\"entrypoint\":[\"a\",null]"), "\"entrypoint\" must hold strings only" },
		{ CONFIG("\"env\":{\"A\":null}"), "\"env\": \"A\" must be a string" },
		{ CONFIG("\"env\":{\"2A\":\"\"}"), "\"2A\" is no name for an environment variable" },
		{ CONFIG("\"env\":{\"A-B\":\"\"}"), "\"A-B\" is no name for an environment variable" },
		{ CONFIG("\"env\":{\"\":\"\"}"), "\"\" is no name for an environment variable" },
		{ CONFIG("\"env\":{\"A=B\":\"\"}"), "\"A=B\" is no name for an environment variable" },
		{ CONFIG("\"tty\":\"yes\""), "\"tty\" must be true or false" },
		{ CONFIG("\"stop_timeout_s\":-1"), "\"stop_timeout_s\" must be a whole number from 0 to 86400" },
		{ CONFIG("\"working_dir\":\"app\""), "\"working_dir\" must be an absolute path without \"..\"" },
		{ CONFIG("\"ports\":[7]"), "\"ports\" must hold objects only" },
		{ CONFIG("\"ports\":[{\"port\":65536}]"), "\"port\" must be a whole number from 0 to 65535" },
		{ CONFIG("\"ports\":[{\"proto\":\"sctp\"}]"), "\"proto\" must be \"tcp\" or \"udp\"" },
		{ CONFIG("\"ports\":[{\"port\":80},{\"port\":80}]"), "port 80 is asked for twice" },
		{ CONFIG("\"ports\":[{\"service\":{}}]"), "a port's service needs a name of a-z, 0-9, \"_\", \".\" and \"-\"" },
		{ CONFIG("\"ports\":[{\"service\":{\"name\":\"-x\"}}]"), "a port's service needs a name of a-z, 0-9, \"_\", \".\" and \"-\"" },
		{ CONFIG("\"ports\":[{\"service\":{\"name\":\"a/b\"}}]"), "a port's service needs a name of a-z, 0-9, \"_\", \".\" and \"-\"" },
		{ CONFIG("\"ports\":[{\"service\":{\"name\":\"x\",\"check\":{\"type\":\"ping\"}}}]"), "a tcp port cannot be checked by \"ping\"" },
		{ CONFIG("\"ports\":[{\"proto\":\"udp\",\"service\":{\"name\":\"x\",\"check\":{\"type\":\"tcp\"}}}]"), "a udp port cannot be checked by \"tcp\"" },
		{ CONFIG("\"ports\":[{\"service\":{\"name\":\"x\",\"check\":{\"path\":\"ping\"}}}]"), "a check's path must start with / and have no whitespace" },
		{ CONFIG("\"ports\":[{\"service\":{\"name\":\"x\",\"check\":{\"path\":\"/a\\r\\nb\"}}}]"), "a check's path must start with / and have no whitespace" },
		{ CONFIG("\"ports\":[{\"service\":{\"name\":\"x\",\"check\":{\"timeout_s\":-1}}}]"), "\"timeout_s\" must be a whole number from 0 to 86400" },
		{ CONFIG("\"volumes\":{}"), "\"volumes\" must be an array" },
		{ CONFIG("\"volumes\":[{\"target\":\"/x\"}]"), "\"\" is no name for a volume" },
		{ CONFIG("\"volumes\":[{\"name\":\"A\",\"target\":\"/x\"}]"), "\"A\" is no name for a volume" },
		{ CONFIG("\"volumes\":[{\"name\":\".x\",\"target\":\"/x\"}]"), "\".x\" is no name for a volume" },
		{ CONFIG("\"volumes\":[{\"name\":\"/etc\",\"target\":\"/x\"}]"), "\"/etc\" is no name for a volume" },
		{ CONFIG("\"volumes\":[{\"name\":\"x\",\"target\":\"x\"}]"), "volume x: \"x\" is not an absolute path without \"..\"" },
		{ CONFIG("\"volumes\":[{\"name\":\"x\",\"target\":\"/a/../b\"}]"), "volume x: \"/a/../b\" is not an absolute path without \"..\"" },
		{ CONFIG("\"volumes\":[{\"name\":\"x\",\"target\":\"/a/..\"}]"), "volume x: \"/a/..\" is not an absolute path without \"..\"" },
		{ CONFIG("\"volumes\":[{\"name\":\"x\",\"target\":\"/..\"}]"), "volume x: \"/..\" is not an absolute path without \"..\"" },
		{ CONFIG("\"volumes\":[{\"name\":\"x\",\"target\":\"/a\"},{\"name\":\"y\",\"target\":\"/a\"}]"), "two volumes at /a" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(parse(cases[i].text, &err));
		assert_string_equal(err.msg, cases[i].want);
		assert_int_equal(err.kind, FL_ERR_INVALID);
	}
}

static void
a_udp_service_is_not_checked(FL_UNUSED void **state)
{
	struct fl_job *j = parse(CONFIG("\"ports\":[{\"proto\":\"udp\",\"service\":{\"name\":\"dns\"}}]"), NULL);

	assert_non_null(j);
	assert_string_equal(j->ports[0].check, "none");
	fl_job_free(j);
}

static void
names_have_their_lengths(FL_UNUSED void **state)
{
	for (int len = 199; len <= 202; len++) {
		struct fl_buf b = { 0 };
		struct fl_job *j = NULL;

		fl_buf_addf(&b, "{\"id\":\"" ID "\"," ARTIFACT ",\"config\":{\"volumes\":[{\"target\":\"/x\",\"name\":\"%0*d\"}]}}", len, 1);
		j = parse(b.data, NULL);
		assert_int_equal(j != NULL, len <= 200);
		fl_job_free(j);
		fl_buf_release(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_job_has_the_defaults),
		cmocka_unit_test(what_is_read_is_written_again),
		cmocka_unit_test(a_job_made_by_hand_survives_the_wire),
		cmocka_unit_test(only_job_ids_have_a_host),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(a_udp_service_is_not_checked),
		cmocka_unit_test(names_have_their_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
