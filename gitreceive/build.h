/*
 * build - the pushed tree given to a builder job, whose output is the pusher's.
 */
#ifndef GITRECEIVE_BUILD_H
#define GITRECEIVE_BUILD_H

struct cluster;
struct fl_err;
struct fl_json;
struct types;

/*
 * Build commit for the app; release is its current one (its environment is the build's), or JSON null. Returns the signed URL
 * of the slug (caller frees) and fills types, or NULL with a sentence. The job ends with us, however we end.
 */
char *build_run(const struct cluster *c, const char *app_id, const struct fl_json *release, const char *commit,
    struct types *types, struct fl_err *err);

#endif
