/*
 * What a cluster is born with: random secrets, SSH host keys, the controller's certificate.
 */
#include <stdlib.h>

#include "bootstrap/bootstrap.h"
#include "bootstrap/step.h"
#include "libflynn/cert.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"

#define MAX_HOSTS 16
#define MAX_RANDOM_BYTES 1024

void
action_gen_random(struct step *s)
{
	const char *given = NULL;
	bool controller_key = false;
	int64_t length = 16;
	struct fl_err err;
	char *data;

	if (fl_json_member_str(s->spec, "data", &given, &err) == -1 ||
	    fl_json_member_int(s->spec, "length", 1, MAX_RANDOM_BYTES, &length, &err) == -1 ||
	    fl_json_member_bool(s->spec, "controller_key", &controller_key, &err) == -1) {
		step_fail(s, &err);
		return;
	}
	data = given != NULL && *given != '\0' ? fl_xstrdup(given) : fl_random_hex((size_t)length);
	step_set_data(s, "Data", data);
	if (controller_key) {
		free(s->bootstrap->controller_key);
		s->bootstrap->controller_key = data;
		data = NULL;
	}
	free(data);
	step_done(s, NULL);
}

void
action_gen_ssh_key(struct step *s)
{
	struct fl_err err;
	char *rsa = NULL, *ecdsa = NULL, *both;

	if ((rsa = fl_cert_ssh_key("rsa", &err)) == NULL || (ecdsa = fl_cert_ssh_key("ecdsa", &err)) == NULL) {
		step_fail(s, &err);
	} else {
		both = fl_xasprintf("%s%s", rsa, ecdsa);
		step_set_data(s, "PrivateKeys", both);
		free(both);
		step_done(s, NULL);
	}
	free(rsa);
	free(ecdsa);
}

void
action_gen_tls_cert(struct step *s)
{
	char *cert = NULL, *key = NULL, *pin = NULL, *message;
	const char *hosts[MAX_HOSTS];
	const struct fl_json *list = NULL;
	struct fl_err err;
	size_t n = 0;

	if (fl_json_member_arr(s->spec, "hosts", &list, &err) == -1) {
		step_fail(s, &err);
		return;
	}
	for (size_t i = 0; i < fl_json_len(list) && n < MAX_HOSTS; i++)
		if (*(hosts[n] = fl_json_str(fl_json_at(list, i), "")) != '\0')
			n++;
	if (n == 0) {
		fl_err_set(&err, FL_ERR_INVALID, "a certificate needs at least one host");
		step_fail(s, &err);
	} else if (fl_cert_make(hosts, n, &cert, &key, &pin, &err) == -1) {
		step_fail(s, &err);
	} else {
		step_set_data(s, "Cert", cert);
		step_set_data(s, "PrivateKey", key);
		step_set_data(s, "Pin", pin);
		message = fl_xasprintf("pin: %s", pin);
		step_done(s, message);
		free(message);
	}
	free(cert);
	free(key);
	free(pin);
}
