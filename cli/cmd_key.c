#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"
#include "list.h"

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

int
cmd_key(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	struct fl_json *keys;
	struct fl_err err;

	if (argc > 1)
		return cli_usage("key");
	if ((keys = client_get(cli, "/keys", "the list of keys", &err)) == NULL)
		return cli_fail(&err);
	if (cli->json)
		list_print_json(keys);
	for (size_t i = 0; !cli->json && i < fl_json_len(keys); i++) {
		const struct fl_json *k = fl_json_at(keys, i);
		char *fingerprint = with_colons(fl_json_str(fl_json_get(k, "fingerprint"), ""));

		printf("%s  %s\n", fingerprint, fl_json_str(fl_json_get(k, "comment"), ""));
		free(fingerprint);
	}
	fl_json_free(keys);
	return 0;
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

static bool
read_file(const char *path, struct fl_buf *b)
{
	FILE *f = fopen(path, "re");
	bool ok = f != NULL && read_stream(f, b);

	if (f != NULL)
		fclose(f);
	return ok;
}

static bool
read_agent(struct fl_buf *b)
{
	FILE *f = popen("ssh-add -L 2>/dev/null", "re"); /* fails when there is no agent or it holds no key */
	bool ok;

	if (f == NULL)
		return false;
	ok = read_stream(f, b);
	if (pclose(f) == 0 && ok)
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
	fingerprint = with_colons(fl_json_str(fl_json_get(key, "fingerprint"), ""));
	fprintf(stderr, "Key %s added.\n", fingerprint);
	free(fingerprint);
	fl_json_free(key);
	return 0;
}

/* Each line is a key; an agent may hold several. */
static int
add_lines(struct cli *cli, char *text, struct fl_err *err)
{
	char *line;

	while ((line = strsep(&text, "\r\n")) != NULL)
		if (*line != '\0' && *line != '#' && add_line(cli, line, err) == -1)
			return -1;
	return 0;
}

int
cmd_key_add(struct cli *cli, int argc, char **argv)
{
	struct fl_buf text = { 0 };
	struct fl_err err = { 0 };

	if (argc > 2)
		return cli_usage("key add");
	if (argc == 2 && !read_file(argv[1], &text))
		fl_err_sys(&err, "read %s", argv[1]);
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
	struct fl_buf path = { 0 };
	struct fl_json *answer;
	struct fl_err err;
	char *what;

	if (argc != 2)
		return cli_usage("key remove");
	fl_buf_addstr(&path, "/keys/");
	for (const char *p = argv[1]; *p != '\0'; p++)
		if (*p != ':')
			fl_buf_addc(&path, *p);
	what = fl_xasprintf("key %s", argv[1]);
	answer = client_call(cli, "DELETE", fl_buf_cstr(&path), NULL, what, &err);
	free(what);
	fl_buf_release(&path);
	if (answer == NULL)
		return cli_fail(&err);
	fl_json_free(answer);
	fprintf(stderr, "Key %s removed.\n", argv[1]);
	return 0;
}
