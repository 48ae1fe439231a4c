/* textfile - small files at the top of an app. */
#include "slugbuilder/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

static int
read_all(int fd, const char *name, size_t max, struct fl_buf *text, struct fl_err *err)
{
	struct stat st;
	char data[16384];
	ssize_t n;

	if (fstat(fd, &st) == -1)
		return fl_err_sys(err, "read %s", name);
	if (!S_ISREG(st.st_mode))
		return fl_err_set(err, FL_ERR_INVALID, "%s is not a file", name);
	while ((n = read(fd, data, sizeof(data))) > 0) {
		if (text->len + n > max)
			return fl_err_set(err, FL_ERR_TOO_BIG, "%s has more than %zu KB", name, max >> 10);
		fl_buf_add(text, data, n);
	}
	return n == 0 ? 0 : fl_err_sys(err, "read %s", name);
}

int
textfile_read(const char *dir, const char *name, size_t max, struct fl_buf *text, struct fl_err *err)
{
	char *path = fl_xasprintf("%s/%s", dir, name);
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), rc = 0; /* a fifo must not hold us up */

	if (fd != -1) {
		rc = read_all(fd, name, max, text, err);
		close(fd);
	} else if (errno != ENOENT) {
		rc = fl_err_sys(err, "read %s", name);
	}
	free(path);
	return rc;
}

int
textfile_fill(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int
textfile_write(const char *dir, const char *name, const struct fl_buf *text, struct fl_err *err)
{
	char *path = fl_xasprintf("%s/%s", dir, name);
	int fd, rc = -1;

	unlink(path); /* never write through a link */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd != -1 && textfile_fill(fd, fl_buf_cstr(text), text->len) == 0)
		rc = 0;
	else
		fl_err_sys(err, "write %s", name);
	if (fd != -1)
		close(fd);
	free(path);
	return rc;
}
