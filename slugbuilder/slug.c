/* slug - a built app as one file, on its way to where it is kept. */
#include "slugbuilder/slug.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "slugbuilder/pack.h"
#include "slugbuilder/user.h"

/* A file that is gone when we are; not every file system can make one without a name. */
static int
open_unnamed(const char *dir, struct fl_err *err)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *path;

	if (fd != -1)
		return fd;
	path = fl_xasprintf("%s/pack.XXXXXX", dir);
	if ((fd = mkostemp(path, O_CLOEXEC)) == -1)
		fl_err_sys(err, "make a file in %s", dir);
	else
		unlink(path);
	free(path);
	return fd;
}

int64_t
slug_pack(const char *dir, const struct ignore *ignore, const char *work_dir, const struct user *u, int *fd,
    struct fl_err *err)
{
	int64_t size;

	if ((*fd = open_unnamed(work_dir, err)) == -1)
		return -1;
	user_enter(u);
	size = pack(dir, ignore, *fd, err);
	user_leave();
	if (size == -1) {
		close(*fd);
		*fd = -1;
	}
	return size;
}

static int
copy(int from, int to, int64_t size)
{
	off_t at = 0;

	while (at < size) {
		ssize_t n = sendfile(to, from, &at, (size_t)(size - at));

		if (n <= 0)
			return -1;
	}
	return fsync(to);
}

int
slug_save(int fd, int64_t size, const char *path, struct fl_err *err)
{
	char *beside = fl_xasprintf("%s.XXXXXX", path);
	int to = mkostemp(beside, O_CLOEXEC), rc = -1;

	if (to != -1 && copy(fd, to, size) == 0 && fchmod(to, 0644) == 0 && rename(beside, path) == 0)
		rc = 0;
	else
		fl_err_sys(err, "write %s", path);
	if (to != -1) {
		close(to);
		if (rc == -1)
			unlink(beside);
	}
	free(beside);
	return rc;
}

void
slug_format_size(int64_t size, char out[SLUG_SIZE_LEN])
{
	static const char units[] = "KMGT";
	double n = (double)size / 1024;
	size_t unit = 0;

	while (n >= 1024 && unit < sizeof(units) - 2) {
		n /= 1024;
		unit++;
	}
	snprintf(out, SLUG_SIZE_LEN, n < 9.95 ? "%.1f%c" : "%.0f%c", n, units[unit]);
}
