/*
 * tree_tar - the tree of a commit as a tar stream, without a work tree.
 */
#ifndef GITRECEIVE_TREE_TAR_H
#define GITRECEIVE_TREE_TAR_H

#include <sys/types.h>

struct fl_err;

/*
 * Write the tar of commit (40 hex digits, in the repository that git's environment names) to fd. Blobs over 8 MiB are streamed
 * through git cat-file, so that no large file is ever in memory. Submodules become empty directories,
 * of which standard error tells.
 */
int tree_tar_write(const char *commit, int fd, struct fl_err *err);

/* The same in a child process; *fd is the stream to read (the caller closes it). The child's pid, or -1. It exits 0 when all was written. */
pid_t tree_tar_start(const char *commit, int *fd, struct fl_err *err);

#endif
