#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/config.h"
#include "cli/replace_file.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define MAX_BYTES (1u << 20)

static char *
config_path(void)
{
	const char *path = cli_variable("FLYNNRC"), *home = getenv("HOME");

	if (path != NULL)
		return fl_xstrdup(path);
	return fl_xasprintf("%s/.flynnrc", home != NULL ? home : "");
}

static void
cluster_release(struct cluster *c)
{
	free(c->name);
	free(c->git_host);
	free(c->url);
	free(c->key);
	free(c->pin);
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++)
		cluster_release(&c->clusters[i]);
	free(c->clusters);
	free(c->default_name);
	free(c->path);
	free(c);
}

static struct cluster *
config_append(struct config *c)
{
	c->clusters = fl_xreallocarray(c->clusters, c->n + 1, sizeof(*c->clusters));
	c->clusters[c->n] = (struct cluster){ 0 };
	return &c->clusters[c->n++];
}

/* Append the character of n hex digits at p; false when they are none. */
static bool
add_codepoint(struct fl_buf *b, const char *p, size_t n)
{
	unsigned long c;
	char hex[9];

	if (strspn(p, "0123456789abcdefABCDEF") < n)
		return false;
	snprintf(hex, sizeof(hex), "%.*s", (int)n, p);
	c = strtoul(hex, NULL, 16);
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return false;
	if (c < 0x80) {
		fl_buf_addc(b, (char)c);
		return true;
	}
	if (c < 0x800) {
		fl_buf_addc(b, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000)
			fl_buf_addc(b, (char)(0xe0 | c >> 12));
		else
			fl_buf_addf(b, "%c%c", (int)(0xf0 | c >> 18), (int)(0x80 | (c >> 12 & 0x3f)));
		fl_buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	fl_buf_addc(b, (char)(0x80 | (c & 0x3f)));
	return true;
}

/* Append what the escape at p (behind the backslash) stands for; its length, 0 when it is none of TOML's. */
static size_t
add_escape(struct fl_buf *b, const char *p)
{
	static const char letters[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	const char *letter = *p != '\0' ? strchr(letters, *p) : NULL;
	size_t digits = *p == 'u' ? 4 : *p == 'U' ? 8 : 0;

	if (letter != NULL) {
		fl_buf_addc(b, values[letter - letters]);
		return 1;
	}
	return digits != 0 && add_codepoint(b, p + 1, digits) ? 1 + digits : 0;
}

static bool
is_blank(const char *p)
{
	p += strspn(p, " \t\r");
	return *p == '\0' || *p == '#';
}

/* The unquoted value of a TOML basic or literal string, behind which only a comment stands; NULL when it is none. */
static char *
parse_string(const char *p)
{
	struct fl_buf b = { 0 };
	char quote = *p;
	size_t len = 1;

	if (quote != '"' && quote != '\'')
		return NULL;
	for (p++; *p != '\0' && *p != quote && len > 0; p += len) {
		if (quote == '"' && *p == '\\') {
			len = add_escape(&b, ++p);
		} else {
			fl_buf_addc(&b, *p);
			len = 1;
		}
	}
	if (len > 0 && *p == quote && is_blank(p + 1))
		return fl_buf_detach(&b);
	fl_buf_release(&b);
	return NULL;
}

/* Where the value of a key goes; NULL for keys that mean nothing to us. The names are those of every era. */
static char **
member_of(struct config *c, const char *key)
{
	static const struct {
		const char *key;
		size_t offset;
	} members[] = {
		{ "name", offsetof(struct cluster, name) },
		{ "githost", offsetof(struct cluster, git_host) },
		{ "url", offsetof(struct cluster, url) },
		{ "controllerurl", offsetof(struct cluster, url) },
		{ "key", offsetof(struct cluster, key) },
		{ "tlspin", offsetof(struct cluster, pin) },
	};

	if (c->n == 0)
		return strcasecmp(key, "default") == 0 ? &c->default_name : NULL;
	for (size_t i = 0; i < fl_nitems(members); i++)
		if (strcasecmp(key, members[i].key) == 0)
			return (char **)((char *)&c->clusters[c->n - 1] + members[i].offset);
	return NULL;
}

/* [[server]] or [[cluster]] begins an entry. */
static int
parse_table(struct config *c, const char *head, int number, struct fl_err *err)
{
	static const char *const names[] = { "[[server]]", "[[cluster]]" };

	for (size_t i = 0; i < fl_nitems(names); i++) {
		size_t len = strlen(names[i]);

		if (strncasecmp(head, names[i], len) == 0 && is_blank(head + len)) {
			config_append(c);
			return 0;
		}
	}
	return fl_err_set(err, FL_ERR_INVALID, "%s line %d: expected [[server]] or [[cluster]]", c->path, number);
}

static int
parse_line(struct config *c, char *line, int number, struct fl_err *err)
{
	char *key = line + strspn(line, " \t\r"), *eq = strchr(key, '='), *end = eq, **member, *value;

	if (is_blank(key))
		return 0;
	if (strncmp(key, "[[", 2) == 0)
		return parse_table(c, key, number, err);
	if (eq == NULL || eq == key)
		return fl_err_set(err, FL_ERR_INVALID, "%s line %d: expected Key = \"value\"", c->path, number);
	while (end > key && strchr(" \t", end[-1]) != NULL)
		end--;
	*end = '\0';
	if ((member = member_of(c, key)) == NULL)
		return 0;
	value = parse_string(eq + 1 + strspn(eq + 1, " \t"));
	if (value == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "%s line %d: %s must be a quoted string", c->path, number, key);
	free(*member);
	*member = value;
	return 0;
}

/* What an entry must have, and what it may leave out. */
static int
complete(const struct config *c, size_t i, struct fl_err *err)
{
	struct cluster *cluster = &c->clusters[i];
	struct fl_url url = { 0 };

	if (cluster->name == NULL || cluster->url == NULL || cluster->key == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "%s: entry %zu lacks a Name, URL or Key", c->path, i + 1);
	if (fl_url_parse(cluster->url, &url, err) == -1)
		return fl_err_wrap(err, "%s: cluster %s", c->path, cluster->name);
	if (cluster->git_host == NULL)
		cluster->git_host = fl_xstrdup(url.host);
	fl_url_release(&url);
	return 0;
}

struct config *
config_parse(const char *path, const char *text, struct fl_err *err)
{
	struct config *c = fl_xcalloc(1, sizeof(*c));
	char *copy = fl_xstrdup(text), *rest = copy, *line;
	int number = 0, r = 0;

	c->path = fl_xstrdup(path);
	while (r == 0 && (line = strsep(&rest, "\n")) != NULL)
		r = parse_line(c, line, ++number, err);
	free(copy);
	for (size_t i = 0; r == 0 && i < c->n; i++)
		r = complete(c, i, err);
	if (r == 0)
		return c;
	config_free(c);
	return NULL;
}

struct config *
config_read(struct fl_err *err)
{
	char *path = config_path(), chunk[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct config *c = NULL;
	struct fl_buf text = { 0 };
	ssize_t n = 0;

	if (fd == -1 && errno != ENOENT) {
		fl_err_sys(err, "open %s", path);
		goto out;
	}
	while (fd != -1 && text.len < MAX_BYTES && (n = read(fd, chunk, sizeof(chunk))) > 0)
		fl_buf_add(&text, chunk, (size_t)n);
	if (n == -1)
		fl_err_sys(err, "read %s", path);
	else if (text.len >= MAX_BYTES)
		fl_err_set(err, FL_ERR_TOO_BIG, "%s is larger than %u bytes: is it a list of clusters?", path, MAX_BYTES);
	else
		c = config_parse(path, fl_buf_cstr(&text), err);
out:
	if (fd != -1)
		close(fd);
	fl_buf_release(&text);
	free(path);
	return c;
}

static void
write_string(struct fl_buf *b, const char *value)
{
	fl_buf_addc(b, '"');
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			fl_buf_addf(b, "\\%c", *value);
		else if ((unsigned char)*value < 0x20 || *value == 0x7f)
			fl_buf_addf(b, "\\u%04x", (unsigned char)*value);
		else
			fl_buf_addc(b, *value);
	}
	fl_buf_addstr(b, "\"\n");
}

static void
write_member(struct fl_buf *b, const char *key, const char *value)
{
	if (value == NULL)
		return;
	fl_buf_addf(b, "  %s = ", key);
	write_string(b, value);
}

void
config_format(const struct config *c, struct fl_buf *b)
{
	if (c->default_name != NULL) {
		fl_buf_addstr(b, "default = ");
		write_string(b, c->default_name);
		fl_buf_addc(b, '\n');
	}
	for (size_t i = 0; i < c->n; i++) {
		fl_buf_addstr(b, i > 0 ? "\n[[cluster]]\n" : "[[cluster]]\n");
		write_member(b, "Name", c->clusters[i].name);
		write_member(b, "GitHost", c->clusters[i].git_host);
		write_member(b, "URL", c->clusters[i].url);
		write_member(b, "Key", c->clusters[i].key);
		write_member(b, "TLSPin", c->clusters[i].pin);
	}
}

int
config_write(const struct config *c, struct fl_err *err)
{
	char *target = realpath(c->path, NULL); /* a link to the file stays one */
	struct fl_buf text = { 0 };
	int r;

	config_format(c, &text);
	r = replace_file(target != NULL ? target : c->path, &text, err);
	fl_buf_release(&text);
	free(target);
	return r;
}

struct cluster *
config_find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->clusters[i].name, name) == 0)
			return &c->clusters[i];
	return NULL;
}

bool
config_is_default(const struct config *c, const struct cluster *cluster)
{
	return c->default_name != NULL ? strcmp(c->default_name, cluster->name) == 0 : cluster == c->clusters;
}

struct cluster *
config_match_remote(const struct config *c, const char *remote_url, char **app)
{
	static const char suffix[] = ".git";
	size_t len = strlen(remote_url);

	for (size_t i = 0; i < c->n; i++) {
		char *prefix = fl_xasprintf("ssh://git@%s/", c->clusters[i].git_host);
		size_t plen = strlen(prefix);
		bool match = len > plen + strlen(suffix) && strncmp(remote_url, prefix, plen) == 0 &&
		    strcmp(remote_url + len - strlen(suffix), suffix) == 0;

		free(prefix);
		if (match) {
			*app = fl_xstrndup(remote_url + plen, len - plen - strlen(suffix));
			return &c->clusters[i];
		}
	}
	return NULL;
}

/* Whether no cluster but the one that is replaced (NULL: none is) has this value. */
static int
check_new(const struct config *c, const struct cluster *replaced, const char *what, const char *value, size_t offset,
    struct fl_err *err)
{
	for (size_t i = 0; value != NULL && i < c->n; i++) {
		const char *have = *(char *const *)((const char *)&c->clusters[i] + offset);

		if (have != NULL && strcmp(have, value) == 0 && &c->clusters[i] != replaced)
			return fl_err_set(err, FL_ERR_CONFLICT,
			    "a cluster with the %s %s exists already in %s: remove it first with flynn cluster remove %s", what,
			    value, c->path, c->clusters[i].name);
	}
	return 0;
}

/* Put it in the place of replaced, or at the end. */
static int
put(struct config *c, struct cluster *replaced, const struct cluster *cluster, struct fl_err *err)
{
	struct cluster *added = replaced;

	if (check_new(c, replaced, "name", cluster->name, offsetof(struct cluster, name), err) == -1 ||
	    check_new(c, replaced, "URL", cluster->url, offsetof(struct cluster, url), err) == -1 ||
	    check_new(c, replaced, "git host", cluster->git_host, offsetof(struct cluster, git_host), err) == -1)
		return -1;
	if (added != NULL)
		cluster_release(added);
	else
		added = config_append(c);
	*added = (struct cluster){
		.name = fl_xstrdup(cluster->name), .git_host = fl_xstrdup(cluster->git_host),
		.url = fl_xstrdup(cluster->url), .key = fl_xstrdup(cluster->key), .pin = fl_xstrdup_null(cluster->pin)
	};
	return 0;
}

int
config_add(struct config *c, const struct cluster *cluster, struct fl_err *err)
{
	return put(c, NULL, cluster, err);
}

int
config_replace(struct config *c, const struct cluster *cluster, struct fl_err *err)
{
	return put(c, config_find(c, cluster->name), cluster, err);
}

bool
config_remove(struct config *c, const char *name)
{
	struct cluster *found = config_find(c, name);
	size_t i;

	if (found == NULL)
		return false;
	i = (size_t)(found - c->clusters);
	cluster_release(found);
	memmove(found, found + 1, (c->n - i - 1) * sizeof(*found));
	c->n--;
	if (c->default_name != NULL && strcmp(c->default_name, name) == 0) {
		free(c->default_name);
		c->default_name = NULL;
	}
	return true;
}
