/* runner - become one process of an app whose slug is installed. */
#include "slugbuilder/runner.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/process.h"
#include "libflynn/xmalloc.h"
#include "slugbuilder/procfile.h"
#include "slugbuilder/release.h"
#include "slugbuilder/textfile.h"
#include "slugbuilder/user.h"

/* Profiles change the environment of the shell that sources them, which then becomes the command. */
static const char launch[] =
    "for f in .profile.d/*.sh; do [ -r \"$f\" ] && . \"./$f\"; done; "
    "[ -r .profile ] && . ./.profile; "
    "unset f; exec \"$@\"";

/* Ours, or of init systems of long ago; an app has no use for them. */
static const char *const not_for_apps[] = { "SLUG_URL", "SD_NAME", "SD_HOST", "SD_ARGS" };

struct app {
	struct fl_map *config_vars, *types;
};

static void
app_release(struct app *a)
{
	fl_map_free_with(a->config_vars, free);
	fl_map_free_with(a->types, free);
}

/* The builder has refused what is wrong in these files; what it could not see is skipped. */
static int
app_read(struct app *a, const char *dir, struct fl_err *err)
{
	struct fl_map *defaults = fl_map_new(), *swap;
	struct fl_buf procfile = { 0 }, release = { 0 };
	int rc = -1;

	*a = (struct app){ .config_vars = fl_map_new(), .types = fl_map_new() };
	if (textfile_read(dir, ".release", RELEASE_MAX_BYTES, &release, err) == -1 ||
	    textfile_read(dir, "Procfile", PROCFILE_MAX_BYTES, &procfile, err) == -1 ||
	    procfile_parse(fl_buf_cstr(&procfile), procfile.len, a->types, err) == -1)
		goto out;
	release_parse(fl_buf_cstr(&release), release.len, a->config_vars, defaults);
	if (fl_map_count(a->types) == 0) {
		swap = a->types;
		a->types = defaults;
		defaults = swap;
	}
	rc = 0;
out:
	fl_buf_release(&procfile);
	fl_buf_release(&release);
	fl_map_free_with(defaults, free);
	return rc;
}

/* The command of a process type, borrowed, or NULL with a sentence that names those there are. */
static const char *
command_of(const struct app *a, const char *type, struct fl_err *err)
{
	const char *command = fl_map_get(a->types, type);
	struct fl_buf names = { 0 };

	if (command != NULL)
		return command;
	procfile_names(a->types, &names);
	if (names.len > 0)
		fl_err_set(err, FL_ERR_NOT_FOUND, "there is no process type \"%.63s\"; this release has: %s", type, names.data);
	else
		fl_err_set(err, FL_ERR_NOT_FOUND, "there is no process type \"%.63s\"; this release has none at all", type);
	fl_buf_release(&names);
	return NULL;
}

static void
set_environment(const struct app *a, const char *app_dir)
{
	FL_MAP_EACH(a->config_vars, e)
	{
		if (strchr(fl_map_key(e), '=') == NULL)
			setenv(fl_map_key(e), fl_map_value(e), 0);
	}
	for (size_t i = 0; i < fl_nitems(not_for_apps); i++)
		unsetenv(not_for_apps[i]);
	setenv("HOME", app_dir, 1);
}

/* So that the app can open /dev/stdout and its terminal, which were made for root. */
static void
give_stdio(const struct user *u)
{
	for (int fd = 0; fd <= STDERR_FILENO && getuid() == 0; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(fd)) && fchown(fd, u->uid, (gid_t)-1) == -1)
			continue; /* then it can do without */
	}
}

/*
 * Whether the way to a volume leads to what is mounted, and not by a link that the app has put there to what is root's: a
 * command that is run beside the app comes here, too. A kernel before 5.8 cannot tell.
 */
static bool
may_be_volume(const struct statx *st)
{
	return (st->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) == 0 || (st->stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* A new volume is root's; one that has an owner keeps him. */
static void
give_volume(const char *path, const struct user *u)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statx st;

	if (fd == -1 || statx(fd, "", AT_EMPTY_PATH, STATX_UID, &st) == -1 || !may_be_volume(&st) ||
	    (st.stx_uid == 0 && fchown(fd, u->uid, u->gid) == -1))
		fl_log_warn("a volume is not the app's to write", fl_str("path", path));
	if (fd != -1)
		close(fd);
}

static void
give_volumes(const struct user *u)
{
	const char *paths = getenv(FL_PROCESS_VOLUMES);

	while (getuid() == 0 && paths != NULL && *paths != '\0') {
		char *path = fl_xstrndup(paths, strcspn(paths, ":"));

		give_volume(path, u);
		paths += strlen(path);
		paths += *paths == ':';
		free(path);
	}
}

static int
exec_words(char *const *words, const char *command, struct fl_err *err)
{
	const char *const start[] = { "bash", "-c", command, NULL };
	const char *const *argv = command != NULL ? start : (const char *const *)words;
	const char **all;
	size_t n = 0;

	while (argv[n] != NULL)
		n++;
	all = fl_xcalloc(n + 5, sizeof(*all));
	memcpy(all, (const char *const[]){ "bash", "-c", launch, "flynn" }, 4 * sizeof(*all));
	memcpy(all + 4, argv, n * sizeof(*all));
	execvp("bash", (char *const *)all);
	free(all);
	return fl_err_sys(err, "run bash");
}

int
runner_become(const char *app_dir, const struct user *u, char *const *words, struct fl_err *err)
{
	const char *command = NULL;
	struct app app = { 0 };
	int rc = -1;

	give_stdio(u);
	give_volumes(u);
	if (user_become(u) == -1 || chdir(app_dir) == -1) {
		fl_err_sys(err, "become %s in %s", u->name, app_dir);
		goto out;
	}
	if (app_read(&app, app_dir, err) == -1)
		goto out;
	if (strcmp(words[0], "start") == 0 && words[1] != NULL && words[2] == NULL &&
	    (command = command_of(&app, words[1], err)) == NULL)
		goto out;
	set_environment(&app, app_dir);
	rc = exec_words(words, command, err);
out:
	app_release(&app);
	return rc;
}
