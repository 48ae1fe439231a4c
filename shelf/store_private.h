/*
 * store_private - what store.c and upload.c share.
 */
#ifndef SHELF_STORE_PRIVATE_H
#define SHELF_STORE_PRIVATE_H

#include <stdint.h>

#include "shelf/store.h"

struct store {
	int blobs_fd, tmp_fd; /* the folders */
	int64_t max_bytes;
};

#endif
