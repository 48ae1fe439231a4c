#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/list.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define MAX_KEY_BYTES 65536

/* 152d8e... as 15:2d:8e:...; the caller frees. */
static char *
with_colons(const char *hex)
{
	struct fl_buf b = { 0 };

	for (size_t i = 0; hex[i] != '\0'; i++) {
		if (i > 0 && i % 2 == 0)
			fl_buf_addc(&b, ':');
		fl_buf_addc(&b, hex[i]);
	}
	return fl_buf_detach(&b);
}

static void
print_keys(const struct fl_json *keys, FL_UNUSED const void *arg)
{
	for (size_t i = 0; i < fl_json_len(keys); i++) {
		const struct fl_json *k = fl_json_at(keys, i);
		char *fingerprint = with_colons(fl_json_text(k, "fingerprint"));

		printf("%s  %s\n", fingerprint, fl_json_text(k, "comment"));
		free(fingerprint);
	}
}

int
cmd_key(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	struct fl_err err;

	if (argc > 1)
		return cli_usage("key");
	return list_show(cli, client_get(cli, "/keys", "the list of keys", &err), print_keys, NULL, &err);
}

static bool
read_stream(FILE *f, struct fl_buf *b)
{
	char chunk[4096];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0 && b->len < MAX_KEY_BYTES)
		fl_buf_add(b, chunk, n);
	return b->len > 0;
}

/* errno says why not. */
static bool
read_file(const char *path, struct fl_buf *b)
{
	FILE *f = fopen(path, "re");
	int why;
	bool ok;

	if (f == NULL)
		return false;
	ok = read_stream(f, b);
	why = ferror(f) ? errno : ENODATA;
	fclose(f);
	errno = why;
	return ok;
}

/* Start "ssh-add -L"; its output is *out. It fails when there is no agent, or none of its keys. */
static pid_t
start_ssh_add(int *out)
{
	char *argv[] = { (char *)"ssh-add", (char *)"-L", NULL };
	posix_spawn_file_actions_t actions;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) == -1)
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0)
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (pid == -1)
		close(ends[0]);
	else
		*out = ends[0];
	return pid;
}

static bool
read_agent(struct fl_buf *b)
{
	int out = -1, status = -1;
	pid_t pid = start_ssh_add(&out);
	FILE *f = pid != -1 ? fdopen(out, "r") : NULL;
	bool ok;

	if (f == NULL)
		return false;
	ok = read_stream(f, b);
	fclose(f);
	if (waitpid(pid, &status, 0) == pid && status == 0 && ok)
		return true;
	fl_buf_clear(b);
	return false;
}

static bool
read_home(struct fl_buf *b)
{
	static const char *const names[] = { "id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub", "id_dsa.pub" };
	const char *home = getenv("HOME");
	bool ok = false;

	for (size_t i = 0; !ok && home != NULL && i < fl_nitems(names); i++) {
		char *path = fl_xasprintf("%s/.ssh/%s", home, names[i]);

		ok = read_file(path, b);
		free(path);
	}
	return ok;
}

static int
add_line(struct cli *cli, const char *line, struct fl_err *err)
{
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	struct fl_json *key;
	char *fingerprint;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "key", line);
	fl_jsonw_close(&w, '}');
	key = client_call(cli, "POST", "/keys", &body, "the new key", err);
	fl_buf_release(&body);
	if (key == NULL)
		return -1;
	fingerprint = with_colons(fl_json_text(key, "fingerprint"));
	fprintf(stderr, "Key %s added.\n", fingerprint);
	free(fingerprint);
	fl_json_free(key);
	return 0;
}

/* Each line is a key; an agent may hold several. */
static int
add_lines(struct cli *cli, char *text, struct fl_err *err)
{
	bool any = false;
	char *line;

	while ((line = strsep(&text, "\r\n")) != NULL) {
		if (*line == '\0' || *line == '#')
			continue;
		if (add_line(cli, line, err) == -1)
			return -1;
		any = true;
	}
	return any ? 0 : fl_err_set(err, FL_ERR_INVALID, "there is no key in it: a .pub file has a line such as ssh-ed25519 AAAA...");
}

int
cmd_key_add(struct cli *cli, int argc, char **argv)
{
	struct fl_buf text = { 0 };
	struct fl_err err = { 0 };

	if (argc > 2)
		return cli_usage("key add");
	if (argc == 2 && !read_file(argv[1], &text))
		fl_err_sys(&err, "cannot read a key from %s", argv[1]);
	else if (argc == 1 && !read_agent(&text) && !read_home(&text))
		fl_err_set(&err, FL_ERR_NOT_FOUND, "no SSH key in the agent and none in ~/.ssh: make one with ssh-keygen, or name a .pub file");
	else if (strstr(fl_buf_cstr(&text), "PRIVATE") != NULL)
		fl_err_set(&err, FL_ERR_INVALID, "this is a private key, which stays with you: name the file that ends in .pub");
	else
		add_lines(cli, text.data, &err);
	fl_buf_release(&text);
	return err.kind != FL_ERR_NONE ? cli_fail(&err) : 0;
}

int
cmd_key_remove(struct cli *cli, int argc, char **argv)
{
	struct fl_buf hex = { 0 };
	struct fl_json *answer;
	char *encoded, *path, *what;
	struct fl_err err;

	if (argc != 2)
		return cli_usage("key remove");
	for (const char *p = argv[1]; *p != '\0'; p++)
		if (*p != ':')
			fl_buf_addc(&hex, *p);
	encoded = fl_url_encode(fl_buf_cstr(&hex));
	path = fl_xasprintf("/keys/%s", encoded);
	what = fl_xasprintf("key %s", argv[1]);
	answer = client_call(cli, "DELETE", path, NULL, what, &err);
	fl_buf_release(&hex);
	free(encoded);
	free(path);
	free(what);
	if (answer == NULL)
		return cli_fail(&err);
	fl_json_free(answer);
	fprintf(stderr, "Key %s removed.\n", argv[1]);
	return 0;
}
