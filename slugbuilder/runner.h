/*
 * runner - become one process of an app whose slug is installed.
 */
#ifndef SLUGBUILDER_RUNNER_H
#define SLUGBUILDER_RUNNER_H

struct fl_err;
struct user;

/*
 * Drop to u and become words (ends with NULL): "start TYPE" is that process type's command, anything else a
 * command itself, its arguments kept as they are. Before it, .release's config_vars are set where unset,
 * and .profile.d/ *.sh and .profile are sourced. Returns only when it cannot, -1 with a sentence.
 */
int runner_become(const char *app_dir, const struct user *u, char *const *words, struct fl_err *err);

#endif
