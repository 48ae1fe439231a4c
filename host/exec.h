/*
 * exec - a command beside a job, in its container, with its client's streams as its own (libflynn/frame.h).
 *
 * An image says by the label flynn.exec through which program of its own commands are to be run, so that they get the user and
 * the environment that its jobs have. The end of the client's connection ends the command.
 */
#ifndef HOST_EXEC_H
#define HOST_EXEC_H

#include <stdbool.h>
#include <stdint.h>

struct exec;
struct fl_err;
struct fl_http_req;
struct fl_json;
struct host;
struct job;

#define EXEC_LABEL "flynn.exec"

struct exec_request {
	const struct fl_json *cmd; /* strings, at least one; borrowed from the JSON */
	const struct fl_json *env; /* an object of strings, or NULL */
	bool tty;
	uint16_t rows, cols;
};

/* {"cmd","env","tty","height","width"} */
int exec_parse(const struct fl_json *v, struct exec_request *request, struct fl_err *err);
/* Answer req by taking its connection over; j must run. */
void exec_start(struct job *j, const struct exec_request *request, struct fl_http_req *req);
/* Drop all; their commands run on. */
void exec_release_all(struct host *h);

#endif
