/*
 * image - the images that users name, as artifacts.
 */
#ifndef CLI_IMAGE_H
#define CLI_IMAGE_H

struct cli;
struct fl_err;

/* What docker run takes, NAME or NAME:TAG, as a URI; what is one stays as it is. The caller frees. */
char *image_uri(const char *word);
/* "docker:///NAME?tag=TAG"; the caller frees. */
char *image_uri_of(const char *name, const char *tag);
/*
 * The id of an artifact that is exactly the image which uri names now (caller frees), once the cluster has it: a host that does
 * not have it pulls it, which may take minutes and is said. NULL with err.
 */
char *image_artifact(struct cli *cli, const char *uri, struct fl_err *err);

#endif
