/*
 * slugbuilder - one build: a source tar in, a slug out.
 */
#ifndef SLUGBUILDER_SLUGBUILDER_H
#define SLUGBUILDER_SLUGBUILDER_H


struct slugbuilder_config {
	char *output;	     /* file for the slug, when there is no slug_put_url */
	char *app_dir;	     /* where the app is built, and will run: empty or absent before */
	char *work_dir;	     /* for what no slug has: cache, config variables, buildpacks of others */
	char *buildpacks_dir;
	char *user;	     /* whose rights strangers' files and programs get */
	char *stack;	     /* told to buildpacks as STACK */
	int timeout_s;	     /* of each program of a buildpack */
	char *slug_put_url;  /* signed */
	char *cache_get_url; /* signed; the two of the cache may be NULL */
	char *cache_put_url;
	char *build_env;     /* JSON object: the app's config variables */
	char *buildpack_url;
};

/*
 * Build what standard input holds, telling the person who pushed on standard output. -1 when
 * there is no slug; then that person has been told why.
 */
int build(const struct slugbuilder_config *cfg);

#endif
