/*
 * env - what buildpacks get to know: their environment, and the app's config variables as files.
 *
 * Buildpacks see config variables only in the directory that bin/compile has as its third argument,
 * one file a variable, and never our own environment: it holds signed URLs.
 */
#ifndef SLUGBUILDER_ENV_H
#define SLUGBUILDER_ENV_H

#include <stdbool.h>

struct fl_err;
struct fl_json;
struct user;

/* Whether a buildpack, which is a shell's script, can have a variable of that name. */
bool env_is_name(const char *s);
/* The object in text (NULL: an empty one). NULL with INVALID for other JSON or values. */
struct fl_json *env_parse(const char *text, struct fl_err *err);
/* Write each variable into dir, which is made, as a file that only u can read; but none whose name is none. */
int env_write(const struct fl_json *vars, const char *dir, const struct user *u, struct fl_err *err);

struct env_about {
	const char *app_dir;
	const char *stack;
	const struct user *user;
};

/* The environment of a buildpack's programs; env_free() it. */
char **env_for_buildpack(const struct env_about *about);
void env_free(char **env);

#endif
