/*
 * service_call - one HTTP call for a step, to a service found through discoverd.
 */
#ifndef BOOTSTRAP_SERVICE_CALL_H
#define BOOTSTRAP_SERVICE_CALL_H

struct bootstrap;
struct fl_err;
struct fl_http_result;
struct step;

/* Exactly once, from the loop: an answer of any status, or err. */
typedef void (*service_call_cb)(struct step *s, const struct fl_http_result *res, const struct fl_err *err);

/*
 * url is http://..., or discoverd+http://SERVICE/path and http://SERVICE.discoverd/path, which go to the service's
 * leader (waited for up to 30 s). key is sent as Basic password; NULL: the cluster key. body: JSON text or NULL.
 */
void service_call(struct step *s, const char *method, const char *url, const char *key, const char *body, service_call_cb cb);
/* To the controller, with its key: path is "/apps" and so on. */
void controller_call(struct step *s, const char *method, const char *path, const char *body, service_call_cb cb);
/* Forget the calls under way, once nothing can answer them any more. */
void service_calls_free(struct bootstrap *b);

#endif
