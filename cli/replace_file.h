/*
 * replace_file - a file written at once and whole, for its owner's eyes only: what the command keeps has secrets in it.
 */
#ifndef CLI_REPLACE_FILE_H
#define CLI_REPLACE_FILE_H

struct fl_buf;
struct fl_err;

/* Written beside, synced and renamed, mode 0600. -1: SYSTEM or NO_SPACE; INVALID when path is there and no plain file. */
int replace_file(const char *path, const struct fl_buf *text, struct fl_err *err);

#endif
