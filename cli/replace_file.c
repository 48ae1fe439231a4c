#include "cli/replace_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

/* mkostemp makes it readable by its owner only. */
int
replace_file(const char *path, const struct fl_buf *text, struct fl_err *err)
{
	struct stat there;
	char *beside;
	int fd, r = -1;
	ssize_t n = 0;

	if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
		return fl_err_set(err, FL_ERR_INVALID, "%s is no plain file, so it is not replaced", path);
	beside = fl_xasprintf("%s.XXXXXX", path);
	if ((fd = mkostemp(beside, O_CLOEXEC)) == -1)
		goto out;
	for (size_t at = 0; n != -1 && at < text->len; at += (size_t)n)
		if ((n = write(fd, text->data + at, text->len - at)) == -1)
			break;
	if (n != -1 && fsync(fd) == 0)
		r = rename(beside, path);
out:
	if (r == -1)
		fl_err_sys(err, "write %s", path);
	if (r == -1 && fd != -1)
		unlink(beside);
	if (fd != -1)
		close(fd);
	free(beside);
	return r;
}
