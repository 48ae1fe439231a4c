/*
 * jobs - the API's jobs as the scheduler records them, and asking a host to stop one.
 */
#ifndef CONTROLLER_JOBS_H
#define CONTROLLER_JOBS_H

#include <libpq-fe.h>

struct fl_http_req;
struct fl_jsonw;

/* What jobs_write_members() reads first, of table or alias j. */
#define JOBS_COLUMNS                                                                              \
	"j.job_id, j.app_id, j.release_id, j.type, j.state, j.cmd, j.exit_status, j.host_error,"  \
	" j.restarts, micros(j.run_at), micros(j.created_at), micros(j.updated_at)"
#define JOBS_N_COLUMNS 12
/* The jobs of app $1 that are listed: all that live and the last that ended, the newest first. No row: there is no such app. */
#define JOBS_OF_APP(more)                                                                              \
	"SELECT " JOBS_COLUMNS more " FROM apps a LEFT JOIN LATERAL ("                                  \
	" SELECT * FROM jobs l WHERE l.app_id = a.app_id AND l.state IN " JOBS_LIVE                     \
	" UNION ALL (SELECT * FROM jobs e WHERE e.app_id = a.app_id AND e.state NOT IN " JOBS_LIVE      \
	"  ORDER BY e.created_at DESC LIMIT 500)) j ON true"                                            \
	" WHERE a.app_id = find_app($1) ORDER BY j.created_at DESC"
/* The states of those that live, or are about to. */
#define JOBS_LIVE "('pending', 'blocked', 'starting', 'up', 'stopping')"

/* The members of a Job, into an open object. */
void jobs_write_members(struct fl_jsonw *w, const PGresult *res, int row);

/*
 * All that live and the last that ended; with Accept: text/event-stream their events, with ?expand=true as job_usage.h says.
 */
void jobs_list(struct fl_http_req *req, void *arg);
/* Of all apps, those that have not ended. */
void jobs_list_live(struct fl_http_req *req, void *arg);
void jobs_get(struct fl_http_req *req, void *arg);
/* The scheduler's: create or update a record; a change of state is an event. */
void jobs_put(struct fl_http_req *req, void *arg);
/* Stop it on its host. */
void jobs_delete(struct fl_http_req *req, void *arg);

#endif
