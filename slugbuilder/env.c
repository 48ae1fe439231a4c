/* env - what buildpacks get to know. */
#include "slugbuilder/env.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"
#include "slugbuilder/textfile.h"
#include "slugbuilder/user.h"

#define NAME_MAX_BYTES 255
#define CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt"
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The machine's CA bundle, under the names that the tools of builds look for. */
static const char *const ca_names[] = {
	"SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS", "NPM_CONFIG_CAFILE",
	"PIP_CERT", "REQUESTS_CA_BUNDLE",
};

/* What of ours is handed on: how to reach registries, and what is built. A "*" ends a prefix. */
static const char *const handed_on[] = {
	"http_proxy", "https_proxy", "no_proxy", "all_proxy", "npm_config_*", "SOURCE_VERSION", "TZ",
};

bool
env_is_name(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > NAME_MAX_BYTES || isdigit((unsigned char)*s))
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

struct fl_json *
env_parse(const char *text, struct fl_err *err)
{
	struct fl_json *vars = fl_json_parse(text != NULL ? text : "{}", text != NULL ? strlen(text) : 2, err);

	if (vars == NULL) {
		fl_err_wrap(err, "BUILD_ENV");
		return NULL;
	}
	if (fl_json_type(vars) != FL_JSON_OBJECT) {
		fl_err_set(err, FL_ERR_INVALID, "BUILD_ENV is not a JSON object");
		goto fail;
	}
	for (size_t i = 0; i < fl_json_len(vars); i++) {
		if (fl_json_type(fl_json_at(vars, i)) != FL_JSON_STRING) {
			fl_err_set(err, FL_ERR_INVALID, "the variable %.100s is not a string", fl_json_key_at(vars, i));
			goto fail;
		}
	}
	return vars;
fail:
	fl_json_free(vars);
	return NULL;
}

static int
write_variable(int dir, const char *name, const char *value, struct fl_err *err)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc;

	if (fd == -1)
		return fl_err_sys(err, "write the variable %s", name);
	if ((rc = textfile_fill(fd, value, strlen(value))) == -1)
		fl_err_sys(err, "write the variable %s", name);
	close(fd);
	return rc;
}

int
env_write(const struct fl_json *vars, const char *dir, const struct user *u, struct fl_err *err)
{
	int fd = -1, rc = 0;

	user_enter(u);
	if ((mkdir(dir, 0700) == -1 && errno != EEXIST) || (fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		rc = fl_err_sys(err, "make %s", dir);
	for (size_t i = 0; rc == 0 && i < fl_json_len(vars); i++)
		if (env_is_name(fl_json_key_at(vars, i)))
			rc = write_variable(fd, fl_json_key_at(vars, i), fl_json_str(fl_json_at(vars, i), ""), err);
	if (fd != -1)
		close(fd);
	user_leave();
	return rc;
}

struct env {
	char **items; /* ends with NULL */
	size_t n;
};

static void
env_add(struct env *env, char *item)
{
	env->items = fl_xreallocarray(env->items, env->n + 2, sizeof(*env->items));
	env->items[env->n++] = item;
	env->items[env->n] = NULL;
}

static bool
is_handed_on(const char *item)
{
	size_t len = strcspn(item, "=");

	for (size_t i = 0; i < fl_nitems(handed_on); i++) {
		size_t want = strlen(handed_on[i]);
		bool prefix = handed_on[i][want - 1] == '*';

		want -= prefix;
		if ((prefix ? len > want : len == want) && strncasecmp(item, handed_on[i], want) == 0)
			return true;
	}
	return false;
}

char **
env_for_buildpack(const struct env_about *about)
{
	const char *path = getenv("PATH");
	char self[4096], *id = fl_random_hex(16);
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct env env = { 0 };

	env_add(&env, fl_xasprintf("PATH=%s", path != NULL ? path : DEFAULT_PATH));
	env_add(&env, fl_xasprintf("HOME=%s", about->app_dir));
	env_add(&env, fl_xasprintf("APP_DIR=%s", about->app_dir));
	env_add(&env, fl_xasprintf("STACK=%s", about->stack));
	env_add(&env, fl_xasprintf("USER=%s", about->user->name));
	env_add(&env, fl_xasprintf("LOGNAME=%s", about->user->name));
	env_add(&env, fl_xasprintf("REQUEST_ID=%s", id));
	env_add(&env, fl_xstrdup("LANG=C.UTF-8"));
	env_add(&env, fl_xstrdup("CURL_CONNECT_TIMEOUT=30"));
	env_add(&env, fl_xstrdup("GIT_TERMINAL_PROMPT=0"));
	if (n > 0) { /* for buildpacks of ours, which ask us about versions */
		self[n] = '\0';
		env_add(&env, fl_xasprintf("FLYNN_SLUGBUILDER=%s", self));
	}
	for (size_t i = 0; i < fl_nitems(ca_names) && access(CA_BUNDLE, R_OK) == 0; i++)
		env_add(&env, fl_xasprintf("%s=%s", ca_names[i], CA_BUNDLE));
	for (char **e = environ; *e != NULL; e++)
		if (is_handed_on(*e))
			env_add(&env, fl_xstrdup(*e));
	free(id);
	return env.items;
}

void
env_free(char **env)
{
	for (char **e = env; e != NULL && *e != NULL; e++)
		free(*e);
	free(env);
}
