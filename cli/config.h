/*
 * config - ~/.flynnrc: the clusters that this developer knows. TOML, as the original wrote it.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct fl_buf;
struct fl_err;

struct cluster {
	char *name, *url, *key;
	char *git_host; /* where git push goes; the URL's host if the file does not say */
	char *pin; /* NULL: verify the certificate normally */
};

struct config {
	char *path;
	char *default_name; /* NULL: the first is the default */
	struct cluster *clusters;
	size_t n;
};

/* $FLYNNRC or ~/.flynnrc; a file that is not there is an empty config. Tables are [[server]] or [[cluster]], keys in any case. */
struct config *config_read(struct fl_err *err);
/* From text, for config_read and its tests; path names it in errors. */
struct config *config_parse(const char *path, const char *text, struct fl_err *err);
/* Append the text that config_parse reads. */
void config_format(const struct config *c, struct fl_buf *b);
/* Replace the file at once and whole, readable by its owner only. */
int config_write(const struct config *c, struct fl_err *err);
void config_free(struct config *c);

struct cluster *config_find(const struct config *c, const char *name);
/* Whether it is the one that is used when none is named. */
bool config_is_default(const struct config *c, const struct cluster *cluster);
/* The cluster that serves a git remote's URL (ssh://git@GITHOST/APP.git), and the app's name in it (caller frees); or NULL. */
struct cluster *config_match_remote(const struct config *c, const char *remote_url, char **app);
/* Append; name, git host and URL must be new (CONFLICT). Strings are copied. */
int config_add(struct config *c, const struct cluster *cluster, struct fl_err *err);
/* The same, but one of that name makes room for it, and what was the default stays so. */
int config_replace(struct config *c, const struct cluster *cluster, struct fl_err *err);
/* Whether there was one of that name. */
bool config_remove(struct config *c, const char *name);

#endif
