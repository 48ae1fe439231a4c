/*
 * identify - where we are: the engine's name, the address of its bridge, and the container that we run in.
 */
#ifndef HOST_IDENTIFY_H
#define HOST_IDENTIFY_H

struct host;
struct identify;

/*
 * Fill in the host's id (if it has none), bridge_ip and self_id, and ask the engine to start our own container again
 * whenever it starts itself. cb once, from the loop; what the engine does not know stays NULL, and as long as it does not
 * answer it is asked again. None after a cancel.
 */
struct identify *identify_start(struct host *h, void (*cb)(struct host *h));
void identify_cancel(struct identify *i);

/* A host id of the engine's name: its letters and digits, lower case, "host" when there are none. The caller frees. */
char *identify_id(const char *name);
/* The address of the first machine of a subnet in CIDR notation, which is the bridge itself; NULL when it is none. */
char *identify_first_address(const char *subnet);

#endif
