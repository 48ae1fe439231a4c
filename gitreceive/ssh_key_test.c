#include "gitreceive/ssh_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gitreceive/cluster.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"

#define ED25519 "AAAAC3NzaC1lZDI1NTE5AAAAIBSQ9f+sK8Weq9bfvUPM80/ndpEVvs94OT6sPgPQAr9x"
#define ECDSA \
	"AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEio1/nF+sk8InO4+CaYJucw+WTGABV6UBwqagFD5JCRqFNJPjz8GZ4LsFpRSe" \
	"/fe5EB2Pt+ZXUKh3PTDbgwNbU="

static ssh_key
import(const char *text, enum ssh_keytypes_e type)
{
	ssh_key key = NULL;

	assert_int_equal(ssh_pki_import_pubkey_base64(text, type, &key), SSH_OK);
	return key;
}

static void
fingerprints_are_those_of_ssh_keygen(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		enum ssh_keytypes_e type;
		const char *md5; /* ssh-keygen -E md5 -l, without colons */
	} cases[] = {
		{ ED25519, SSH_KEYTYPE_ED25519, "cad52ee6d514b623164b4831cab0316a" },
		{ ECDSA, SSH_KEYTYPE_ECDSA_P256, "2c94b29e0610a8786e02f646ad983c3a" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		ssh_key key = import(cases[i].text, cases[i].type);
		char *fingerprint = ssh_key_fingerprint(key);

		assert_string_equal(fingerprint, cases[i].md5);
		free(fingerprint);
		ssh_key_free(key);
	}
}

static void
a_key_cannot_be_checked_without_a_controller(FL_UNUSED void **state)
{
	struct cluster nowhere = { .controller = NULL };
	ssh_key key = import(ED25519, SSH_KEYTYPE_ED25519);
	struct fl_err err = { 0 };

	assert_int_equal(ssh_key_check(&nowhere, key, &err), -1);
	assert_int_equal(err.kind, FL_ERR_UNAVAILABLE);
	ssh_key_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fingerprints_are_those_of_ssh_keygen),
		cmocka_unit_test(a_key_cannot_be_checked_without_a_controller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
