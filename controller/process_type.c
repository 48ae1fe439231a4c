#include "controller/process_type.h"

#include <stdint.h>
#include <string.h>

#include "controller/body.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/process.h"

#define MAX_TYPES 100
#define MAX_PORTS 16
#define MAX_COUNT 10000
#define MAX_VOLUMES 16
#define NAME_MAX_BYTES 64
#define PATH_MAX_BYTES 64
#define CHECK_TIMEOUT_MAX_S 3600

/* A name becomes part of file, service and volume names. */
static int
check_name(const char *name, struct fl_err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_BYTES || strspn(name, allowed) != len)
		return fl_err_set(err, FL_ERR_INVALID, "\"%.80s\" is no name of a process type: take 1 to %d letters, "
						       "digits, dashes and underscores", name, NAME_MAX_BYTES);
	return 0;
}

/* How a port's health is asked for: {"type","path","status","timeout_s"}. */
static int
check_check(const struct fl_json *check, struct fl_err *err)
{
	const char *kind = "", *path = "";
	int64_t status = 0, timeout_s = 0;

	if (fl_json_is_null(check))
		return 0;
	if (fl_json_type(check) != FL_JSON_OBJECT)
		return fl_err_set(err, FL_ERR_INVALID, "a check must be an object");
	if (fl_json_member_str(check, "type", &kind, err) == -1 || fl_json_member_str(check, "path", &path, err) == -1 ||
	    fl_json_member_int(check, "status", 0, 599, &status, err) == -1 ||
	    fl_json_member_int(check, "timeout_s", 0, CHECK_TIMEOUT_MAX_S, &timeout_s, err) == -1)
		return -1;
	if (*kind != '\0' && strcmp(kind, "tcp") != 0 && strcmp(kind, "http") != 0 && strcmp(kind, "none") != 0)
		return fl_err_set(err, FL_ERR_INVALID, "a check is tcp, http or none, and not \"%.40s\"", kind);
	if (*path != '\0' && (*path != '/' || path[strcspn(path, " \r\n\t")] != '\0' || strlen(path) > PATH_MAX_BYTES))
		return fl_err_set(err, FL_ERR_INVALID, "a check's path begins with / and has no blanks");
	return 0;
}

static int
check_service(const struct fl_json *service, struct fl_err *err)
{
	const char *name = "";

	if (fl_json_is_null(service) || fl_json_type(service) == FL_JSON_STRING)
		return 0;
	if (fl_json_type(service) != FL_JSON_OBJECT)
		return fl_err_set(err, FL_ERR_INVALID, "a service must be a name or an object");
	if (fl_json_member_str(service, "name", &name, err) == -1)
		return -1;
	return check_check(fl_json_get(service, "check"), err);
}

static int
check_port(const struct fl_json *port, struct fl_err *err)
{
	const char *proto = "tcp";
	int64_t number = 0, range_end = 0;

	if (fl_json_type(port) != FL_JSON_OBJECT)
		return fl_err_set(err, FL_ERR_INVALID, "a port must be an object");
	if (fl_json_member_int(port, "port", 0, 65535, &number, err) == -1 ||
	    fl_json_member_int(port, "range_end", 0, 65535, &range_end, err) == -1 ||
	    fl_json_member_str(port, "proto", &proto, err) == -1)
		return -1;
	if (*proto != '\0' && strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0)
		return fl_err_set(err, FL_ERR_INVALID, "proto must be tcp or udp and not \"%.40s\"", proto);
	return check_service(fl_json_get(port, "service"), err);
}

/* Ports are an array; the oldest clients send how many there are of each protocol, and send it always. */
static int
check_ports(const struct fl_json *ports, struct fl_err *err)
{
	int64_t tcp = 0, udp = 0;

	if (fl_json_is_null(ports))
		return 0;
	if (fl_json_type(ports) == FL_JSON_OBJECT) {
		if (fl_json_member_int(ports, "tcp", 0, MAX_PORTS, &tcp, err) == -1)
			return -1;
		return fl_json_member_int(ports, "udp", 0, MAX_PORTS, &udp, err);
	}
	if (fl_json_type(ports) != FL_JSON_ARRAY)
		return fl_err_set(err, FL_ERR_INVALID, "ports must be an array");
	if (fl_json_len(ports) > MAX_PORTS)
		return fl_err_set(err, FL_ERR_INVALID, "ports has %zu items, and at most %d are taken", fl_json_len(ports), MAX_PORTS);
	for (size_t i = 0; i < fl_json_len(ports); i++)
		if (check_port(fl_json_at(ports, i), err) == -1)
			return -1;
	return 0;
}

static int
check_member_type(const struct fl_json *type, const char *key, enum fl_json_type want, const char *called, struct fl_err *err)
{
	const struct fl_json *v = fl_json_get(type, key);

	if (fl_json_is_null(v) || fl_json_type(v) == want)
		return 0;
	return fl_err_set(err, FL_ERR_INVALID, "%s must be %s", key, called);
}

int
process_type_check_limits(const struct fl_json *resources, struct fl_err *err)
{
	static const struct {
		const char *name;
		int64_t min, max;
	} limits[] = { { "memory", (int64_t)6 << 20, (int64_t)1 << 50 }, { "cpu", 10, 1000000 } };

	for (size_t i = 0; i < fl_nitems(limits); i++) {
		const struct fl_json *v = fl_json_get(resources, limits[i].name);
		bool is_object = fl_json_type(v) == FL_JSON_OBJECT;
		int64_t n = 0;

		if (fl_json_member_int(is_object ? v : resources, is_object ? "limit" : limits[i].name, 0, INT64_MAX, &n, err) == -1)
			return fl_err_wrap(err, "resources");
		if (n != 0 && (n < limits[i].min || n > limits[i].max))
			return fl_err_set(err, FL_ERR_INVALID, "resources: a limit of %s is from %lld to %lld, or 0 for none, and not %lld",
			    limits[i].name, (long long)limits[i].min, (long long)limits[i].max, (long long)n);
	}
	return 0;
}

/* Absolute, and of what every file system and list can show. */
static int
check_path(const char *path, struct fl_err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
	size_t len = strlen(path);

	if (*path != '/' || len < 2 || len > PATH_MAX_BYTES || strspn(path, allowed) != len || path[len - 1] == '/' ||
	    strstr(path, "//") != NULL || strstr(path, "/.") != NULL)
		return fl_err_set(err, FL_ERR_INVALID, "\"%.80s\" is no path for a volume: write, say, /data", path);
	return 0;
}

static int
check_volumes(const struct fl_json *type, struct fl_err *err)
{
	const struct fl_json *volumes = fl_json_get(type, "volumes");
	const char *paths[MAX_VOLUMES + 1] = { fl_json_bool(fl_json_get(type, "data"), false) ? FL_PROCESS_DATA : "" };

	if (fl_json_len(volumes) > MAX_VOLUMES)
		return fl_err_set(err, FL_ERR_INVALID, "volumes has %zu items, and at most %d are taken", fl_json_len(volumes), MAX_VOLUMES);
	for (size_t i = 0; i < fl_json_len(volumes); i++) {
		const struct fl_json *v = fl_json_at(volumes, i);
		const char *name = NULL;

		paths[i + 1] = FL_PROCESS_DATA;
		if (fl_json_type(v) != FL_JSON_OBJECT)
			return fl_err_set(err, FL_ERR_INVALID, "a volume must be an object");
		if (fl_json_member_str(v, "path", &paths[i + 1], err) == -1 || check_path(paths[i + 1], err) == -1 ||
		    fl_json_member_str(v, "name", &name, err) == -1)
			return -1;
		if (name != NULL && (*name == '\0' || strlen(name) > NAME_MAX_BYTES ||
				     name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0' || *name == '-'))
			return fl_err_set(err, FL_ERR_INVALID, "\"%.80s\" is no name of a volume: take small letters, digits and dashes", name);
		for (size_t k = 0; k <= i; k++)
			if (strcmp(paths[k], paths[i + 1]) == 0)
				return fl_err_set(err, FL_ERR_INVALID, "two volumes are at %s", paths[k]);
	}
	return 0;
}

static int
check_type(const struct fl_json *type, struct fl_err *err)
{
	static const char *const words[] = { "cmd", "args", "entrypoint" };
	static const struct {
		const char *key;
		enum fl_json_type type;
		const char *called;
	} members[] = {
		{ "data", FL_JSON_BOOL, "true or false" },
		{ "omni", FL_JSON_BOOL, "true or false" },
		{ "host_network", FL_JSON_BOOL, "true or false" },
		{ "service", FL_JSON_STRING, "a string" },
		{ "volumes", FL_JSON_ARRAY, "an array" },
		{ "resources", FL_JSON_OBJECT, "an object" },
	};

	if (fl_json_type(type) != FL_JSON_OBJECT)
		return fl_err_set(err, FL_ERR_INVALID, "it must be an object");
	for (size_t i = 0; i < fl_nitems(words); i++)
		if (body_check_words(fl_json_get(type, words[i]), words[i], err) == -1)
			return -1;
	for (size_t i = 0; i < fl_nitems(members); i++)
		if (check_member_type(type, members[i].key, members[i].type, members[i].called, err) == -1)
			return -1;
	if (body_check_strings(fl_json_get(type, "env"), "env", err) == -1 || process_type_check_limits(fl_json_get(type, "resources"), err) == -1 ||
	    check_volumes(type, err) == -1)
		return -1;
	return check_ports(fl_json_get(type, "ports"), err);
}

/* All three members are always there for clients; what newer ones add comes behind. */
static void
store_port(struct fl_jsonw *w, const struct fl_json *port)
{
	fl_jsonw_open(w, NULL, '{');
	fl_jsonw_int(w, "port", fl_json_int(fl_json_get(port, "port"), 0));
	fl_jsonw_str(w, "proto", fl_json_text(port, "proto"));
	fl_jsonw_int(w, "range_end", fl_json_int(fl_json_get(port, "range_end"), 0));
	for (size_t i = 0; i < fl_json_len(port); i++) {
		const char *key = fl_json_key_at(port, i);

		if (strcmp(key, "port") != 0 && strcmp(key, "proto") != 0 && strcmp(key, "range_end") != 0)
			fl_jsonw_value(w, key, fl_json_at(port, i));
	}
	fl_jsonw_close(w, '}');
}

static void
store_port_counts(struct fl_jsonw *w, const struct fl_json *counts)
{
	static const char *const protos[] = { "tcp", "udp" };

	for (size_t p = 0; p < fl_nitems(protos); p++)
		for (int64_t n = fl_json_int(fl_json_get(counts, protos[p]), 0); n > 0; n--) {
			fl_jsonw_open(w, NULL, '{');
			fl_jsonw_int(w, "port", 0);
			fl_jsonw_str(w, "proto", protos[p]);
			fl_jsonw_int(w, "range_end", 0);
			fl_jsonw_close(w, '}');
		}
}

static void
store_ports(struct fl_jsonw *w, const struct fl_json *ports)
{
	if (fl_json_len(ports) == 0)
		return;
	fl_jsonw_open(w, "ports", '[');
	if (fl_json_type(ports) == FL_JSON_OBJECT)
		store_port_counts(w, ports);
	for (size_t i = 0; fl_json_type(ports) == FL_JSON_ARRAY && i < fl_json_len(ports); i++)
		store_port(w, fl_json_at(ports, i));
	fl_jsonw_close(w, ']');
}

static void
store_type(struct fl_jsonw *w, const char *name, const struct fl_json *type)
{
	fl_jsonw_open(w, name, '{');
	for (size_t i = 0; i < fl_json_len(type); i++) {
		const char *key = fl_json_key_at(type, i);

		if (strcmp(key, "ports") == 0)
			store_ports(w, fl_json_at(type, i));
		else
			fl_jsonw_value(w, key, fl_json_at(type, i));
	}
	fl_jsonw_close(w, '}');
}

int
process_type_store(const struct fl_json *processes, struct fl_buf *out, struct fl_err *err)
{
	struct fl_jsonw w = fl_jsonw(out);

	if (!fl_json_is_null(processes) && fl_json_type(processes) != FL_JSON_OBJECT)
		return fl_err_set(err, FL_ERR_INVALID, "must be an object of process types");
	if (fl_json_len(processes) > MAX_TYPES)
		return fl_err_set(err, FL_ERR_INVALID, "has %zu process types, and at most %d are taken", fl_json_len(processes), MAX_TYPES);
	for (size_t i = 0; i < fl_json_len(processes); i++) {
		const char *name = fl_json_key_at(processes, i);

		if (check_name(name, err) == -1)
			return -1;
		if (check_type(fl_json_at(processes, i), err) == -1)
			return fl_err_wrap(err, "process type %s", name);
	}
	fl_jsonw_open(&w, NULL, '{');
	for (size_t i = 0; i < fl_json_len(processes); i++)
		store_type(&w, fl_json_key_at(processes, i), fl_json_at(processes, i));
	fl_jsonw_close(&w, '}');
	return 0;
}

static int
refuse_unknown_type(const char *name, const struct fl_json *types, struct fl_err *err)
{
	struct fl_buf known = { 0 };

	for (size_t i = 0; i < fl_json_len(types); i++)
		fl_buf_addf(&known, "%s%s", i > 0 ? ", " : "", fl_json_key_at(types, i));
	if (known.len == 0)
		fl_err_set(err, FL_ERR_INVALID, "\"%.80s\" is no process type of the release: it has none, so push code first", name);
	else
		fl_err_set(err, FL_ERR_INVALID, "\"%.80s\" is no process type of the release: it has %.300s", name, known.data);
	fl_buf_release(&known);
	return -1;
}

static int
check_count(const char *name, const struct fl_json *count, struct fl_err *err)
{
	int64_t n = fl_json_int(count, MAX_COUNT + 1);

	if (fl_json_type(count) != FL_JSON_NUMBER || n > MAX_COUNT)
		return fl_err_set(err, FL_ERR_INVALID, "%.80s must be a whole number from 0 to %d", name, MAX_COUNT);
	if (n < 0)
		return fl_err_set(err, FL_ERR_INVALID, "%.80s cannot be %lld: a process type has 0 or more jobs", name, (long long)n);
	return 0;
}

int
process_type_check_counts(const struct fl_json *counts, const struct fl_json *types, struct fl_err *err)
{
	if (!fl_json_is_null(counts) && fl_json_type(counts) != FL_JSON_OBJECT)
		return fl_err_set(err, FL_ERR_INVALID, "must be an object of process types and numbers");
	for (size_t i = 0; i < fl_json_len(counts); i++) {
		const char *name = fl_json_key_at(counts, i);

		if (fl_json_get(types, name) == NULL)
			return refuse_unknown_type(name, types, err);
		if (check_count(name, fl_json_at(counts, i), err) == -1)
			return -1;
		if (strcmp(name, FL_JOB_TYPE_RELEASE) == 0 && fl_json_int(fl_json_at(counts, i), 0) > 0)
			return fl_err_set(err, FL_ERR_INVALID, "release cannot be scaled: it runs once, before its release replaces another");
	}
	return 0;
}

int
process_type_check_protected(const struct fl_json *counts, const struct fl_json *types, struct fl_err *err)
{
	for (size_t i = 0; i < fl_json_len(types); i++) {
		const char *name = fl_json_key_at(types, i);

		if (strcmp(name, FL_JOB_TYPE_RELEASE) != 0 && fl_json_int(fl_json_get(counts, name), 0) == 0)
			return fl_err_set(err, FL_ERR_INVALID, "the app is protected: %.80s cannot be scaled to 0", name);
	}
	return 0;
}

int
process_type_check_timeout_s(const struct fl_json *type)
{
	const struct fl_json *ports = fl_json_get(type, "ports");
	int64_t longest = 0;

	for (size_t i = 0; i < fl_json_len(ports); i++) {
		const struct fl_json *check = fl_json_get(fl_json_get(fl_json_at(ports, i), "service"), "check");
		int64_t s = fl_json_int(fl_json_get(check, "timeout_s"), 0);

		longest = s > longest && s <= CHECK_TIMEOUT_MAX_S ? s : longest;
	}
	return (int)longest;
}

bool
process_type_has_volume(const struct fl_json *type)
{
	return fl_json_bool(fl_json_get(type, "data"), false) || fl_json_len(fl_json_get(type, "volumes")) > 0;
}

bool
process_type_is_exclusive(const struct fl_json *type)
{
	const struct fl_json *ports = fl_json_get(type, "ports");

	if (process_type_has_volume(type))
		return true;
	for (size_t i = 0; i < fl_json_len(ports); i++)
		if (fl_json_int(fl_json_get(fl_json_at(ports, i), "port"), 0) != 0)
			return true;
	return false;
}
