/*
 * sign - see sign.h.
 */
#include "libflynn/sign.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "libflynn/base64.h"
#include "libflynn/xmalloc.h"

/* The letter, then HMAC-SHA-256 of "<letter> <path>" in hex. */
static char *
signature(const char *key, const char *path, char right)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	char *text = fl_xasprintf("%c %s", right, path), *hex = NULL, *sig = NULL;

	if (HMAC(EVP_sha256(), key, (int)strlen(key), (unsigned char *)text, strlen(text), mac, &len) == NULL)
		abort(); /* only out of memory */
	hex = fl_hex_encode(mac, len);
	sig = fl_xasprintf("%c%s", right, hex);
	free(hex);
	free(text);
	return sig;
}

char *
fl_sign_url(const char *key, const char *base, const char *path, enum fl_sign_right right)
{
	char *sig = signature(key, path, (char)right);
	char *url = fl_xasprintf("%s%s?sig=%s", base, path, sig);

	free(sig);
	return url;
}

static bool
is_one_of(const char *method, const char *const *methods)
{
	for (; *methods != NULL; methods++)
		if (strcmp(method, *methods) == 0)
			return true;
	return false;
}

bool
fl_sign_allows(const char *key, const char *method, const char *path, const char *sig)
{
	static const char *const reads[] = { "GET", "HEAD", NULL }, *const writes[] = { "PUT", "GET", "HEAD", NULL };
	char *want = NULL;
	bool ok = false;

	if (sig == NULL || (*sig != FL_SIGN_READ && *sig != FL_SIGN_WRITE))
		return false;
	if (!is_one_of(method, *sig == FL_SIGN_READ ? reads : writes))
		return false;
	want = signature(key, path, *sig);
	ok = fl_sign_key_eq(want, sig);
	free(want);
	return ok;
}

bool
fl_sign_key_eq(const char *a, const char *b)
{
	size_t len = a != NULL ? strlen(a) : 0;

	return a != NULL && b != NULL && strlen(b) == len && CRYPTO_memcmp(a, b, len) == 0;
}

char *
fl_sign_basic(const char *key)
{
	char *pair = fl_xasprintf(":%s", key);
	char *base64 = fl_base64_encode(pair, strlen(pair));
	char *value = fl_xasprintf("Basic %s", base64);

	free(base64);
	free(pair);
	return value;
}

bool
fl_sign_basic_ok(const char *authorization, const char *key)
{
	static const char scheme[] = "Basic ";
	const char *text = NULL, *colon = NULL;
	char *pair = NULL;
	size_t len = 0;
	bool ok = false;

	if (authorization == NULL || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return false;
	text = authorization + sizeof(scheme) - 1;
	text += strspn(text, " ");
	pair = fl_base64_decode(text, strlen(text), &len, NULL);
	/* A NUL inside would hide what follows it from the comparison. */
	if (pair != NULL && strlen(pair) == len && (colon = strchr(pair, ':')) != NULL)
		ok = fl_sign_key_eq(colon + 1, key);
	free(pair);
	return ok;
}
