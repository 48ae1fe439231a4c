/*
 * provision - asking a provider for a resource.
 */
#ifndef CONTROLLER_PROVISION_H
#define CONTROLLER_PROVISION_H

struct controller;
struct fl_err;
struct fl_json;

/* A provider's URL: "discoverd+http://service/path", "http://service.discoverd/path" or "http://host/path". */
int provision_check_url(const char *url, struct fl_err *err);

/*
 * POST config (JSON text) to url. cb once, from the loop: the resource's {"id","env"}, checked and borrowed, or err.
 * Only a service of the cluster is told the cluster key.
 */
void provision(struct controller *c, const char *url, const char *config,
    void (*cb)(const struct fl_json *resource, const struct fl_err *err, void *arg), void *arg);
/* DELETE url?id=<external_id>. cb once, from the loop, without a resource; err when the provider may still have it. */
void provision_take_back(struct controller *c, const char *url, const char *external_id,
    void (*cb)(const struct fl_json *none, const struct fl_err *err, void *arg), void *arg);

#endif
