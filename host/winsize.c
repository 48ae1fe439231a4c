#include "host/winsize.h"

#include <stdlib.h>

#include "host/engine.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

static void call_engine(struct winsize_teller *w);

static void
on_told(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct winsize_teller *w = arg;
	struct fl_err err = { 0 };

	w->call = NULL;
	if (w->again)
		call_engine(w);
	else if (engine_check(w->engine, res, call_err, "resize the terminal", &err) == -1 && err.kind != FL_ERR_NOT_FOUND)
		fl_log_warn("a terminal keeps its size", fl_str("err", err.msg));
}

static void
call_engine(struct winsize_teller *w)
{
	static const struct engine_call call = { .method = "POST" };

	w->again = false;
	w->call = engine_start(w->engine, &call, on_told, w, "/%s/resize?h=%d&w=%d", w->target, w->rows, w->cols);
}

void
winsize_tell(struct winsize_teller *w, struct engine *engine, const char *kind, const char *id)
{
	if (w->rows == 0 || w->cols == 0)
		return;
	if (w->call != NULL) {
		w->again = true;
		return;
	}
	w->engine = engine;
	free(w->target);
	w->target = fl_xasprintf("%s/%s", kind, id);
	call_engine(w);
}

void
winsize_release(struct winsize_teller *w)
{
	if (w->call != NULL)
		fl_http_call_cancel(w->call);
	free(w->target);
}
