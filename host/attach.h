/*
 * attach - clients that see what a job prints, feed it, and learn how it ended (libflynn/frame.h).
 *
 * A client may come before its job: it waits, and a job that it is to feed does not start before it is connected. The
 * end of a client's connection detaches it, whatever direction it ends in; a job that asked for that is stopped then.
 */
#ifndef HOST_ATTACH_H
#define HOST_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct attach;
struct fl_err;
struct fl_http_req;
struct fl_json;
struct host;
struct job;

enum attach_flags {
	ATTACH_STDOUT = 1,
	ATTACH_STDERR = 2,
	ATTACH_STDIN = 4,
	ATTACH_LOGS = 8,    /* what was printed before */
	ATTACH_STREAM = 16, /* what will be, until the end */
};

struct attach_request {
	const char *job_id; /* borrowed from the JSON */
	unsigned flags;
	uint16_t rows, cols;
	bool timestamps;   /* each line begins with its time, in RFC 3339, and a blank */
	int64_t tail;	   /* so many of the last lines only; -1: all */
	const char *since; /* only what was printed from then on, seconds since the epoch with decimals; NULL: all */
};

/* {"job_id","flags","height","width","timestamps","tail","since"} */
int attach_parse(const struct fl_json *v, struct attach_request *request, struct fl_err *err);
/* Answer req by taking its connection over. */
void attach_start(struct host *h, const struct attach_request *request, struct fl_http_req *req);
/* Drop all that wait for jobs that nobody has added. */
void attach_release_waiting(struct host *h);

/* A new job is there: who waited for it is its attacher. */
void attach_job_added(struct job *j);
/* Whether its start must wait for a connection, and the making of these; launch_attached() is called when all stand. */
bool attach_must_wait(const struct job *j);
void attach_connect(struct job *j);
void attach_job_started(struct job *j);
/* Its container ended, or it never had one that ran. */
void attach_job_ended(struct job *j);
/* It is freed: whoever is left is told so. */
void attach_job_gone(struct job *j);

#endif
