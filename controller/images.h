/*
 * images - what an image's name means now, as the artifact of a release.
 */
#ifndef CONTROLLER_IMAGES_H
#define CONTROLLER_IMAGES_H

struct fl_http_req;

/*
 * Ask a host for the image of the query's uri, which may pull it for minutes: so the answer is a stream of one event, "image"
 * with {"artifact","cmd","entrypoint"}, or "error" with {"code","message"}.
 */
void images_resolve(struct fl_http_req *req, void *arg);

#endif
