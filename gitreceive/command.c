#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gitreceive/command.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

#define MAX_NAME 100

/* The path's quotes, leading slashes and .git taken off. */
static char *
app_of_path(const char *path)
{
	static const char suffix[] = ".git";
	size_t len;

	path += strspn(path, " ");
	path += *path == '\'' || *path == '"';
	path += strspn(path, "/");
	len = strlen(path);
	while (len > 0 && strchr("'\"/ ", path[len - 1]) != NULL)
		len--;
	if (len > strlen(suffix) && strncmp(path + len - strlen(suffix), suffix, strlen(suffix)) == 0)
		len -= strlen(suffix);
	return fl_xstrndup(path, len);
}

/* For the terminal that the sentence ends up on. */
static void
make_printable(char *s)
{
	for (; *s != '\0'; s++)
		if (!isprint((unsigned char)*s))
			*s = '?';
}

char *
command_parse(const char *text, struct fl_err *err)
{
	static const char name[] = "git-receive-pack ", spaced[] = "git receive-pack ";
	const char *path = NULL;
	char *app;

	if (strncmp(text, name, strlen(name)) == 0)
		path = text + strlen(name);
	else if (strncmp(text, spaced, strlen(spaced)) == 0)
		path = text + strlen(spaced);
	if (path == NULL) {
		fl_err_set(err, FL_ERR_INVALID, "Only `git push` is supported here.");
		return NULL;
	}
	app = app_of_path(path);
	if (*app != '\0' && strlen(app) <= MAX_NAME && app[strspn(app, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0')
		return app;
	make_printable(app);
	fl_err_set(err, FL_ERR_INVALID, "Invalid repo \"%.100s\": the path is /APP.git, as flynn create sets it.", app);
	free(app);
	return NULL;
}
