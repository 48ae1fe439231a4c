/*
 * number - whole numbers and times as users type them.
 */
#ifndef CLI_NUMBER_H
#define CLI_NUMBER_H

struct fl_err;

/* A number from 0 to max, with nothing behind it; -1: it is none. */
int number_read(const char *text, int max);
/* A time of 1 to max_s seconds, "30s", "2m" or "30". -1 with a sentence about word, which is what was typed. */
int number_read_time(const char *word, const char *text, int max_s, int *seconds, struct fl_err *err);

#endif
