/*
 * terminal - the user's terminal handed to a job: raw while it runs, as it was afterwards.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

/* Standard input and output are both a terminal. */
bool terminal_here(void);
void terminal_size(uint16_t *rows, uint16_t *cols);
/* Every key goes to the job, Ctrl-C too; restored by terminal_restore() and at exit. */
void terminal_raw(void);
void terminal_restore(void);

#endif
