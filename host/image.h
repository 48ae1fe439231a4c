/*
 * image - what an artifact's URI means to the engine.
 */
#ifndef HOST_IMAGE_H
#define HOST_IMAGE_H

#include <stdbool.h>

struct fl_err;

struct image {
	char *ref;  /* what the engine finds it by: its id, or name:tag */
	char *name; /* with a registry in front when it is not Docker's own */
	char *tag;
	char *id; /* NULL: named by tag only */
	char *digest; /* by which its registry has it; NULL: not said */
};

/*
 * "https://registry.hub.docker.com/flynn/x?id=sha256:..." or "?tag=t", and T1's "docker:///flynn/x?tag=t". The path is the
 * name, the id wins over the tag, and without either the tag is latest. With "&digest=sha256:..." it can be pulled as exactly
 * what it is.
 */
int image_parse(const char *uri, struct image *image, struct fl_err *err);
void image_release(struct image *image);

#endif
