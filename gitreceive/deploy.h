/*
 * deploy - what was built made the app's release.
 */
#ifndef GITRECEIVE_DEPLOY_H
#define GITRECEIVE_DEPLOY_H

struct cluster;
struct fl_err;
struct fl_json;
struct types;

/*
 * Artifact and release (last's environment, the types' process types), the app's release set to it, and its jobs waited for:
 * as many of each type as ran of last; web=1 for a first release with a web type. When one of them does not come up, the
 * app is given last again, which has served all the while. last: JSON null when there is none. 0, or -1 with a sentence;
 * CONFLICT: the app was given another release than last meanwhile.
 */
int deploy_run(const struct cluster *c, const char *app, const struct fl_json *last, const char *slug_url,
    const struct types *types, struct fl_err *err);

#endif
