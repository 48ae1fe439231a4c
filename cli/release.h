/*
 * release - new releases made of the app's last: the same but for one thing.
 */
#ifndef CLI_RELEASE_H
#define CLI_RELEASE_H

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct fl_buf;
struct fl_err;
struct fl_json;

/* One variable; value NULL removes it. */
struct release_change {
	char *name;
	const char *value;
	const char *was; /* it is removed only while it has this value; NULL: whatever it has */
};

/*
 * POST a release with the changes applied and make it the app's. type: of that process type only (it must exist), or
 * NULL. An app without a release gets its first. One that was given another release meanwhile has the change made to that.
 * Returns the new release's id (caller frees) or NULL; with err of kind NONE and a sentence when there was nothing to do,
 * because all that it is to remove is not there.
 */
char *release_with_env(struct cli *cli, const char *app, const char *type, const struct release_change *changes,
    size_t n_changes, struct fl_err *err);
/*
 * What member of a process type is to be another: its name, with its JSON text in value, which is empty when the type is to be
 * without it. NULL with err of another kind than CONFLICT: no change can be made, or of kind NONE: none is needed.
 */
typedef const char *(*release_member)(const struct fl_json *type, struct fl_buf *value, const void *arg, struct fl_err *err);
/* The same with that member of that process type replaced; member is asked anew of each release that the change is made to. */
char *release_with_member(struct cli *cli, const char *app, const char *type, release_member member, const void *arg,
    struct fl_err *err);
/* The process type of a release, borrowed; NULL with a sentence that names those there are. */
const struct fl_json *release_type(const struct fl_json *release, const char *app, const char *type, struct fl_err *err);
/* Of the app's list of releases the one that word names, by "v3", "3" or its id; borrowed. NULL with err. */
const struct fl_json *release_find(const struct fl_json *list, const char *app, const char *word, struct fl_err *err);
/*
 * The id that word means, "v3" or "3" being the app's; an id need not be of the app, nor of
 * any. The caller frees; NULL with err.
 */
char *release_id(struct cli *cli, const char *app, const char *word, struct fl_err *err);
/* What a command ends with that made a release: tell its id, which is freed, or why there is none, err. Its exit status. */
int release_say(char *id, const struct fl_err *err);
/* POST {type, uri} and return the artifact's id (caller frees); both NULL: the empty artifact of an app without code. */
char *release_artifact(struct cli *cli, const char *type, const char *uri, struct fl_err *err);
/*
 * POST release (its JSON text), then deploy it; its id, or NULL. base: the id of the release that it was made of, "" for
 * none, NULL when it stands for itself; CONFLICT when the app was given another one meanwhile: release_goes_again().
 */
char *release_set(struct cli *cli, const char *app, const char *release_json, const char *base, struct fl_err *err);
/* Whether a release, not set with err, is to be made anew of what the app has by now; tells so. tries counts, from 0. */
bool release_goes_again(const struct fl_err *err, int *tries);
/* Deploy a release of that id and wait until its jobs have replaced those that run. 0; or -1, and what ran runs on. */
int release_deploy(struct cli *cli, const char *app, const char *id, const char *base, struct fl_err *err);

#endif
