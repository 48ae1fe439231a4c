/* Signatures as ACME servers check them, by the examples of the RFCs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"
#include "router/acme_jws.h"

/* The key of RFC 7515 appendix A.3, as PEM. */
#define RFC_KEY \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n" \
	"H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n" \
	"7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n" \
	"-----END PRIVATE KEY-----\n"

/* The payload of RFC 7515 appendices A.1 and A.3. */
#define RFC_PAYLOAD "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
#define RFC_PAYLOAD_TEXT \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

static void
base64url_has_no_padding(FL_UNUSED void **state)
{
	static const struct {
		const char *data, *text;
	} cases[] = { { "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" }, { "\xff\xef\xfe", "_-_-" } };

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *text = jws_base64url(cases[i].data, strlen(cases[i].data));
		size_t len = 99;
		unsigned char *data = jws_base64url_decode(cases[i].text, &len, NULL);

		assert_string_equal(text, cases[i].text);
		assert_int_equal(len, strlen(cases[i].data));
		assert_memory_equal(data, cases[i].data, len);
		free(text);
		free(data);
	}
	for (const char *const *bad = (const char *const[]){ "a", "+/+/", "Zg$", "Z m8", NULL }; *bad != NULL; bad++) {
		struct fl_err err = { 0 };
		size_t len;

		assert_null(jws_base64url_decode(*bad, &len, &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
	}
}

static void
hmac_is_that_of_the_rfc(FL_UNUSED void **state)
{
	size_t len = 0;
	unsigned char *secret = jws_base64url_decode(
	    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", &len, NULL);
	char *jws = jws_hmac(secret, len, "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}", RFC_PAYLOAD);

	assert_string_equal(jws, "{\"protected\":\"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\",\"payload\":\"" RFC_PAYLOAD_TEXT
	    "\",\"signature\":\"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk\"}");
	free(jws);
	free(secret);
}

static bool
verifies(EVP_PKEY *key, const char *input, const unsigned char raw[64])
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	int len;
	bool ok;

	ECDSA_SIG_set0(sig, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL));
	len = i2d_ECDSA_SIG(sig, &der);
	ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestVerify(ctx, der, (size_t)len, (const unsigned char *)input, strlen(input)) == 1;
	OPENSSL_free(der);
	EVP_MD_CTX_free(ctx);
	ECDSA_SIG_free(sig);
	return ok;
}

static void
signature_is_one_of_the_key(FL_UNUSED void **state)
{
	/* RFC 7515 A.3.1: what is signed there, and how; so that our way to verify is known to be right. */
	static const char rfc_input[] = "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD_TEXT;
	static const char rfc_signature[] = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
	EVP_PKEY *key = jws_key_parse(RFC_KEY, NULL);
	unsigned char *raw;
	size_t len = 0;

	assert_non_null(key);
	raw = jws_base64url_decode(rfc_signature, &len, NULL);
	assert_int_equal(len, 64);
	assert_true(verifies(key, rfc_input, raw));
	free(raw);
	/* Often enough that some number has a leading zero. */
	for (int i = 0; i < 600; i++) {
		char *text = jws_sign(key, "{\"alg\":\"ES256\"}", RFC_PAYLOAD);
		struct fl_json *v = fl_json_parse(text, strlen(text), NULL);
		char *input = fl_xasprintf("%s.%s", fl_json_text(v, "protected"), fl_json_text(v, "payload"));

		assert_string_equal(input, rfc_input);
		raw = jws_base64url_decode(fl_json_text(v, "signature"), &len, NULL);
		assert_int_equal(len, 64);
		assert_true(verifies(key, input, raw));
		free(raw);
		free(input);
		free(text);
		fl_json_free(v);
	}
	EVP_PKEY_free(key);
}

static void
thumbprint_is_that_of_the_members_in_order(FL_UNUSED void **state)
{
	EVP_PKEY *key = jws_key_parse(RFC_KEY, NULL);
	char *jwk = jws_jwk(key), *print = jws_thumbprint(key), *auth = jws_key_authorisation(key, "token-1");

	assert_string_equal(jwk, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
				 "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}");
	assert_string_equal(print, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
	assert_string_equal(auth, "token-1.oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
	free(jwk);
	free(print);
	free(auth);
	EVP_PKEY_free(key);
}

static void
key_survives_being_stored(FL_UNUSED void **state)
{
	EVP_PKEY *key = jws_key_new(), *again;
	char *pem = jws_key_pem(key), *one = jws_jwk(key), *two;
	struct fl_err err = { 0 };

	again = jws_key_parse(pem, NULL);
	assert_non_null(again);
	two = jws_jwk(again);
	assert_string_equal(one, two);
	assert_null(jws_key_parse("nonsense", &err));
	assert_int_equal(err.kind, FL_ERR_INVALID);
	free(pem);
	free(one);
	free(two);
	EVP_PKEY_free(key);
	EVP_PKEY_free(again);
}

static void
request_names_the_domain_and_is_signed(FL_UNUSED void **state)
{
	EVP_PKEY *key = jws_key_new();
	char *text = jws_csr(key, "www.example.com");
	size_t len = 0;
	unsigned char *der = jws_base64url_decode(text, &len, NULL);
	const unsigned char *at = der;
	X509_REQ *req = d2i_X509_REQ(NULL, &at, (long)len);
	STACK_OF(X509_EXTENSION) *exts = X509_REQ_get_extensions(req);
	GENERAL_NAMES *names = X509V3_get_d2i(exts, NID_subject_alt_name, NULL, NULL);

	assert_int_equal(X509_REQ_verify(req, key), 1);
	assert_int_equal(sk_GENERAL_NAME_num(names), 1);
	assert_string_equal((const char *)ASN1_STRING_get0_data(sk_GENERAL_NAME_value(names, 0)->d.dNSName), "www.example.com");
	GENERAL_NAMES_free(names);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	X509_REQ_free(req);
	free(der);
	free(text);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64url_has_no_padding),
		cmocka_unit_test(hmac_is_that_of_the_rfc),
		cmocka_unit_test(signature_is_one_of_the_key),
		cmocka_unit_test(thumbprint_is_that_of_the_members_in_order),
		cmocka_unit_test(key_survives_being_stored),
		cmocka_unit_test(request_names_the_domain_and_is_signed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
