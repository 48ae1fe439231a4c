/*
 * slug - a built app as one file, on its way to where it is kept.
 */
#ifndef SLUGBUILDER_SLUG_H
#define SLUGBUILDER_SLUG_H

#include <stdint.h>

struct fl_err;
struct ignore;
struct user;

/*
 * Pack dir, read under u's rights, into a file without a name in work_dir. Returns its size, and in
 * *fd the file, which the caller closes; -1 with err and *fd -1.
 */
int64_t slug_pack(const char *dir, const struct ignore *ignore, const char *work_dir, const struct user *u,
    int *fd, struct fl_err *err);
/* Copy the packed file to path: written beside, synced, renamed. */
int slug_save(int fd, int64_t size, const char *path, struct fl_err *err);
/* As du -h has it: "5.2M", "41M", "0.8K". */
#define SLUG_SIZE_LEN 16
void slug_format_size(int64_t size, char out[SLUG_SIZE_LEN]);

#endif
