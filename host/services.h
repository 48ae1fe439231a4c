/*
 * services - a job's instances in discoverd: host registers them, and nobody else.
 */
#ifndef HOST_SERVICES_H
#define HOST_SERVICES_H

struct host;
struct job;

/*
 * It is being started: instances of its services are about to come (FL_DISCOVERD_STARTING). Until services_register(),
 * services_unregister() or services_unannounce(), for as long as its ports stay the same.
 */
void services_announce(struct job *j);
void services_unannounce(struct job *j);
void services_register(struct job *j);
/* Take them out; cb (may be NULL) once they are, or discoverd could not be told within two seconds. */
void services_unregister(struct job *j, void (*cb)(struct job *j));
/* Forget the goodbyes that are waited for: their discoverd client is gone. */
void services_release(struct host *h);
/* This host itself. */
void services_register_host(struct host *h);

#endif
