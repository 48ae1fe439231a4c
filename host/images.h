/*
 * images - what the API says and does about images of the engine.
 */
#ifndef HOST_IMAGES_H
#define HOST_IMAGES_H

struct fl_http_req;
struct host;

/*
 * Answer what the URI {"uri"} means now: {"uri","cmd","entrypoint","architecture","os"}, where the new URI names the image by
 * its id. One that is not here is pulled, as is one that was pulled before and may have become another.
 */
void images_reply_resolve(struct host *h, struct fl_http_req *req);
/*
 * Remove the image that the query's uri names, if it was pulled for a job and not made here, and answer. NOT_FOUND when it is
 * not here, CONFLICT while a job has it.
 */
void images_reply_remove(struct host *h, struct fl_http_req *req);

#endif
