/*
 * client - calls to the controller of the chosen cluster, and what its answers mean to a person.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct fl_buf;
struct fl_err;
struct fl_http_call_opts;
struct fl_json;

/*
 * One call; body may be NULL. what is the thing asked for ("app example"): a 404 becomes "app example does not exist".
 * NULL with err for every status but 2xx; an empty answer gives JSON null.
 */
struct fl_json *client_call(struct cli *cli, const char *method, const char *path, const struct fl_buf *body,
    const char *what, struct fl_err *err);
struct fl_json *client_get(struct cli *cli, const char *path, const char *what, struct fl_err *err);
/* The same about an app: rest follows "/apps/APP", as "/jobs", with what users typed encoded. what NULL: "app APP". */
struct fl_json *client_app_call(struct cli *cli, const char *method, const char *app, const char *rest,
    const struct fl_buf *body, const char *what, struct fl_err *err);

/*
 * GET path as a stream: opts, whose address is filled in, says who is handed what comes (on_data, with arg) and how long silence
 * may last. 0: it came to its end. -1: err says why it could not be had or broke off, as it does when on_data wants no more.
 */
int client_stream(const struct cli *cli, const char *path, struct fl_http_call_opts *opts, void *arg, const char *what,
    struct fl_err *err);

/* The sentence of an answer that is no success. */
void client_explain(const struct cli *cli, int status, const char *body, size_t len, const char *what, struct fl_err *err);
/* The sentence of a call that got no answer: wrong pin, nobody there, ... */
void client_explain_failure(const struct cli *cli, struct fl_err *err);
/* Fill url, key and pin of opts for path; free the URL with free((char *)opts->url). */
void client_opts(const struct cli *cli, const char *path, struct fl_http_call_opts *opts);

/* 0 when the app exists, else -1: for commands whose first step would not say that it does not. */
int client_app_check(struct cli *cli, const char *app, struct fl_err *err);
/* The app's release; JSON null when it has none yet. */
struct fl_json *client_app_release(struct cli *cli, const char *app, struct fl_err *err);

#endif
