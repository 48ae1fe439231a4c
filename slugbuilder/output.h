/*
 * output - what the person who pushed reads: titles, indented lines, problems.
 *
 * Each line begins with ESC [ 1 G, which lets a terminal overwrite git's "remote: ";
 * titles are "-----> text", the rest stands seven columns in. A line is one write(2).
 */
#ifndef SLUGBUILDER_OUTPUT_H
#define SLUGBUILDER_OUTPUT_H

#include <stddef.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"

struct output {
	int fd;
};

void output_title(const struct output *out, const char *fmt, ...) FL_PRINTF(2, 3);
void output_text(const struct output *out, const char *fmt, ...) FL_PRINTF(2, 3);
/* " !     text": what failed, or is worth a look. */
void output_problem(const struct output *out, const char *fmt, ...) FL_PRINTF(2, 3);

/*
 * Lines of a program, from its output as it comes in pieces of any size. Those that begin
 * with "--" or " !     " are titles and problems of its own. Of a line that overwrites itself (CR) the last state
 * counts. { .out = out } is a valid start.
 */
struct output_lines {
	const struct output *out;
	struct fl_buf partial; /* a line whose end has not come yet; bounded */
};

void output_lines_add(struct output_lines *lines, const char *data, size_t len);
/* Print what came without a newline, and release. */
void output_lines_end(struct output_lines *lines);

#endif
