#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "gitreceive/cluster.h"
#include "gitreceive/repository.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

#define LOCK_SUFFIX ".git.lock"
#define MAX_DESCRIPTORS 16

int
repository_lock(const char *path, const char *app, struct fl_err *err)
{
	char *name = fl_xasprintf("%s.lock", path);
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1) {
		fl_err_sys(err, "lock the repository");
	} else if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		fl_err_set(err, FL_ERR_CONFLICT, "Another push to %s is being built: try again when it is done.", app);
		close(fd);
		fd = -1;
	}
	free(name);
	return fd;
}

/* The ids of all that there are, ended by NULL. */
static char **
list(const char *dir)
{
	char **ids = fl_xcalloc(1, sizeof(*ids));
	DIR *d = opendir(dir);
	struct dirent *entry;
	size_t n = 0;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		size_t len = strspn(entry->d_name, "0123456789abcdef-");

		if (len == 0 || strcmp(entry->d_name + len, LOCK_SUFFIX) != 0)
			continue;
		ids = fl_xreallocarray(ids, n + 2, sizeof(*ids));
		ids[n++] = fl_xstrndup(entry->d_name, len);
		ids[n] = NULL;
	}
	if (d != NULL)
		closedir(d);
	return ids;
}

static bool
is_listed(const struct fl_json *apps, const char *id)
{
	for (size_t i = 0; i < fl_json_len(apps); i++)
		if (strcmp(fl_json_str(fl_json_get(fl_json_at(apps, i), "id"), ""), id) == 0)
			return true;
	return false;
}

/* It is asked for by itself, too: that it stands in no list is no proof. */
static bool
is_deleted(const struct cluster *c, const char *id)
{
	char *path = fl_xasprintf("/apps/%s", id);
	struct fl_err err = { 0 };
	struct fl_json *app = cluster_call(c, "GET", path, NULL, &err);
	bool deleted = app == NULL && err.kind == FL_ERR_NOT_FOUND;

	fl_json_free(app);
	free(path);
	return deleted;
}

static int
remove_one(const char *path, FL_UNUSED const struct stat *st, FL_UNUSED int type, FL_UNUSED struct FTW *at)
{
	return remove(path);
}

/* Its lock goes last, so that what is left of one half removed is found again. */
static void
remove_repository(const char *dir, const char *id)
{
	char *path = fl_xasprintf("%s/%s.git", dir, id), *lock = fl_xasprintf("%s.lock", path);
	int fd = repository_lock(path, id, NULL);

	if (fd == -1)
		goto out; /* a push that began before the app went: the next one finds it */
	if ((nftw(path, remove_one, MAX_DESCRIPTORS, FTW_DEPTH | FTW_PHYS) == -1 && errno != ENOENT) || unlink(lock) == -1)
		fl_log_warn("cannot remove the repository of a deleted app", fl_str("app", id), fl_str("err", strerror(errno)));
	else
		fl_log_info("repository of a deleted app removed", fl_str("app", id));
	close(fd);
out:
	free(path);
	free(lock);
}

void
repository_remove_deleted(const struct cluster *c)
{
	/* Listed before the controller is asked: what is made meanwhile is of an app that the answer may not know yet. */
	char **ids = list(c->repos);
	struct fl_err err;
	struct fl_json *apps = cluster_call(c, "GET", "/apps", NULL, &err);

	if (fl_json_type(apps) == FL_JSON_ARRAY && fl_json_len(apps) > 0) /* ours is one */
		for (char **id = ids; *id != NULL; id++)
			if (!is_listed(apps, *id) && is_deleted(c, *id))
				remove_repository(c->repos, *id);
	fl_json_free(apps);
	for (char **id = ids; *id != NULL; id++)
		free(*id);
	free(ids);
}
