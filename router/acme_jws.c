#include "router/acme_jws.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/base64.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

/* Of P-256: a coordinate, and half a signature. */
#define NUMBER_BYTES 32

/* What can only fail by want of memory. */
static void
must(bool worked)
{
	if (worked)
		return;
	fl_log_error("OpenSSL failed", fl_str("err", ERR_reason_error_string(ERR_peek_last_error())));
	abort();
}

char *
jws_base64url(const void *data, size_t len)
{
	char *text = fl_base64_encode(data, len);

	for (char *p = text; *p != '\0'; p++) {
		if (*p == '+')
			*p = '-';
		else if (*p == '/')
			*p = '_';
		else if (*p == '=')
			*p = '\0';
	}
	return text;
}

unsigned char *
jws_base64url_decode(const char *text, size_t *len, struct fl_err *err)
{
	struct fl_buf b = { 0 };
	unsigned char *data = NULL;

	for (const char *p = text; *p != '\0' && *p != '='; p++)
		fl_buf_addc(&b, *p == '-' ? '+' : *p == '_' ? '/' : *p);
	while (b.len % 4 != 0)
		fl_buf_addc(&b, '=');
	if (strpbrk(text, "+/") != NULL)
		fl_err_set(err, FL_ERR_INVALID, "not base64url text");
	else
		data = fl_base64_decode(fl_buf_cstr(&b), b.len, len, err);
	fl_buf_release(&b);
	return data;
}

EVP_PKEY *
jws_key_new(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	must(key != NULL);
	return key;
}

static int
no_passphrase(FL_UNUSED char *buf, FL_UNUSED int size, FL_UNUSED int rwflag, FL_UNUSED void *arg)
{
	return -1;
}

EVP_PKEY *
jws_key_parse(const char *pem, struct fl_err *err)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	char group[32] = "";

	if (key == NULL || EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1 || strcmp(group, "prime256v1") != 0) {
		fl_err_set(err, FL_ERR_INVALID, "no private key of P-256 in PEM");
		EVP_PKEY_free(key);
		key = NULL;
	}
	ERR_clear_error();
	BIO_free(bio);
	return key;
}

char *
jws_key_pem(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *data = NULL, *pem;
	long len;

	must(bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
	len = BIO_get_mem_data(bio, &data);
	pem = fl_xstrndup(data, (size_t)len);
	explicit_bzero(data, (size_t)len);
	BIO_free(bio);
	return pem;
}

static char *
coordinate(EVP_PKEY *key, const char *name)
{
	unsigned char bytes[NUMBER_BYTES];
	BIGNUM *n = NULL;

	must(EVP_PKEY_get_bn_param(key, name, &n) == 1 && BN_bn2binpad(n, bytes, sizeof(bytes)) == sizeof(bytes));
	BN_free(n);
	return jws_base64url(bytes, sizeof(bytes));
}

char *
jws_jwk(EVP_PKEY *key)
{
	char *x = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X), *y = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y);
	char *jwk = fl_xasprintf("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);

	free(x);
	free(y);
	return jwk;
}

char *
jws_thumbprint(EVP_PKEY *key)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char *jwk = jws_jwk(key);
	unsigned len = 0;

	must(EVP_Digest(jwk, strlen(jwk), digest, &len, EVP_sha256(), NULL) == 1);
	free(jwk);
	return jws_base64url(digest, len);
}

char *
jws_key_authorisation(EVP_PKEY *key, const char *token)
{
	char *print = jws_thumbprint(key), *text = fl_xasprintf("%s.%s", token, print);

	free(print);
	return text;
}

/* What is signed: header "." payload, each in base64url. */
static char *
signing_input(const char *header, const char *payload)
{
	char *h = jws_base64url(header, strlen(header)), *p = jws_base64url(payload, strlen(payload));
	char *input = fl_xasprintf("%s.%s", h, p);

	free(h);
	free(p);
	return input;
}

/* Takes input. */
static char *
flatten(char *input, const void *signature, size_t len)
{
	char *text = jws_base64url(signature, len), *dot = strchr(input, '.');
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_strn(&w, "protected", input, (size_t)(dot - input));
	fl_jsonw_str(&w, "payload", dot + 1);
	fl_jsonw_str(&w, "signature", text);
	fl_jsonw_close(&w, '}');
	free(text);
	free(input);
	return fl_buf_detach(&b);
}

/* Both numbers one behind the other, RFC 7518 section 3.4, of OpenSSL's DER. */
static void
raw_signature(const unsigned char *der, size_t len, unsigned char out[2 * NUMBER_BYTES])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);

	must(sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, NUMBER_BYTES) == NUMBER_BYTES &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + NUMBER_BYTES, NUMBER_BYTES) == NUMBER_BYTES);
	ECDSA_SIG_free(sig);
}

char *
jws_sign(EVP_PKEY *key, const char *header, const char *payload)
{
	unsigned char der[256], raw[2 * NUMBER_BYTES];
	char *input = signing_input(header, payload);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = sizeof(der);

	must(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestSign(ctx, der, &len, (const unsigned char *)input, strlen(input)) == 1);
	EVP_MD_CTX_free(ctx);
	raw_signature(der, len, raw);
	return flatten(input, raw, sizeof(raw));
}

char *
jws_hmac(const void *secret, size_t len, const char *header, const char *payload)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	char *input = signing_input(header, payload);
	unsigned mac_len = 0;

	must(len <= INT_MAX && HMAC(EVP_sha256(), secret, (int)len, (const unsigned char *)input, strlen(input), mac, &mac_len) != NULL);
	return flatten(input, mac, mac_len);
}

static void
name_domain(X509_REQ *req, const char *domain)
{
	STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
	char *names = fl_xasprintf("DNS:%s", domain);
	X509_EXTENSION *alt = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

	must(exts != NULL && alt != NULL && sk_X509_EXTENSION_push(exts, alt) > 0 && X509_REQ_add_extensions(req, exts) == 1);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	free(names);
}

char *
jws_csr(EVP_PKEY *key, const char *domain)
{
	X509_REQ *req = X509_REQ_new();
	unsigned char *der = NULL;
	char *text;
	int len = 0;

	must(req != NULL && X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 && X509_REQ_set_pubkey(req, key) == 1);
	name_domain(req, domain);
	must(X509_REQ_sign(req, key, EVP_sha256()) > 0 && (len = i2d_X509_REQ(req, &der)) > 0);
	text = jws_base64url(der, (size_t)len);
	OPENSSL_free(der);
	X509_REQ_free(req);
	return text;
}
