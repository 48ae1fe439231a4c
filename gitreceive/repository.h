/*
 * repository - the repositories of apps: whose turn it is with one, and which are needed no more.
 *
 * One is REPOS/ID.git, of which REPOS/ID.git.lock was made first.
 */
#ifndef GITRECEIVE_REPOSITORY_H
#define GITRECEIVE_REPOSITORY_H

struct cluster;
struct fl_err;

/*
 * The lock of the repository at path, held until this process ends, however it ends, or closes the descriptor that is
 * returned. -1 (CONFLICT) when another push to app holds it.
 */
int repository_lock(const char *path, const char *app, struct fl_err *err);
/*
 * Remove the repositories of apps that the controller says are no more; none that is locked, and none at all when it
 * cannot be asked. May take a while; who is ended in it has done no harm.
 */
void repository_remove_deleted(const struct cluster *c);

#endif
