/*
 * err - see err.h.
 */
#include "libflynn/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MSG_SIZE = sizeof((struct fl_err){ 0 }.msg) };

static const struct {
	const char *code;
	int status;
} kinds[FL_ERR_MAX] = {
	[FL_ERR_NONE] = { "none", 200 },
	[FL_ERR_INVALID] = { "invalid", 400 },
	[FL_ERR_DENIED] = { "denied", 401 },
	[FL_ERR_NOT_FOUND] = { "not_found", 404 },
	[FL_ERR_CONFLICT] = { "conflict", 409 },
	[FL_ERR_TOO_BIG] = { "too_big", 413 },
	[FL_ERR_TIMEOUT] = { "timeout", 504 },
	[FL_ERR_UNAVAILABLE] = { "unavailable", 503 },
	[FL_ERR_NO_SPACE] = { "no_space", 507 },
	[FL_ERR_SYSTEM] = { "system", 500 },
};

/* head, then tail, cut to fit. Either may lie in err->msg itself. */
static void
set_msg(struct fl_err *err, const char *head, const char *tail)
{
	char msg[MSG_SIZE];
	size_t head_len = strnlen(head, sizeof(msg) - 1);
	size_t tail_len = strnlen(tail, sizeof(msg) - 1 - head_len);

	memcpy(msg, head, head_len);
	memcpy(msg + head_len, tail, tail_len);
	msg[head_len + tail_len] = '\0';
	memcpy(err->msg, msg, head_len + tail_len + 1);
}

int
fl_err_set(struct fl_err *err, enum fl_err_kind kind, const char *fmt, ...)
{
	char msg[MSG_SIZE];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	err->kind = kind;
	set_msg(err, msg, "");
	return -1;
}

int
fl_err_sys(struct fl_err *err, const char *fmt, ...)
{
	int saved = errno;
	char what[MSG_SIZE], why[128];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	err->kind = saved == ENOSPC || saved == EDQUOT ? FL_ERR_NO_SPACE : FL_ERR_SYSTEM;
	set_msg(err, what, ": ");
	set_msg(err, err->msg, strerror_r(saved, why, sizeof(why)));
	errno = saved;
	return -1;
}

int
fl_err_wrap(struct fl_err *err, const char *fmt, ...)
{
	char what[MSG_SIZE], why[MSG_SIZE];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	memcpy(why, err->msg, sizeof(why));
	set_msg(err, what, ": ");
	set_msg(err, err->msg, why);
	return -1;
}

const char *
fl_err_code(enum fl_err_kind kind)
{
	return kind < FL_ERR_MAX ? kinds[kind].code : kinds[FL_ERR_SYSTEM].code;
}

int
fl_err_status(enum fl_err_kind kind)
{
	return kind < FL_ERR_MAX ? kinds[kind].status : kinds[FL_ERR_SYSTEM].status;
}

enum fl_err_kind
fl_err_of_status(int status)
{
	switch (status) {
	case 403:
		return FL_ERR_DENIED;
	case 408:
		return FL_ERR_TIMEOUT;
	case 429: /* too many requests: also "try again" */
	case 502:
		return FL_ERR_UNAVAILABLE;
	}
	for (enum fl_err_kind kind = FL_ERR_INVALID; kind < FL_ERR_MAX; kind++)
		if (kinds[kind].status == status)
			return kind;
	return status >= 400 && status < 500 ? FL_ERR_INVALID : FL_ERR_SYSTEM;
}
