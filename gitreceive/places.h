/*
 * places - where controller, shelf and hosts are, followed by the daemon and handed to sessions by environment.
 */
#ifndef GITRECEIVE_PLACES_H
#define GITRECEIVE_PLACES_H

struct fl_discoverd;
struct places;

struct places *places_start(struct fl_discoverd *d);
void places_free(struct places *p);
/*
 * The environment of a session: ours, with FLYNN_CONTROLLER and FLYNN_SHELF (ip:port) and FLYNN_HOST ("id ip:port", one of
 * them at random) as they are now; what is not known is left out. NULL-terminated; free with places_env_free().
 */
char **places_env(const struct places *p);
void places_env_free(char **env);

#endif
