#include "controller/ssh_key.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/base64.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

#define BLANKS " \t\r\n"

/* The wire form starts with the type's name again (RFC 4253, 6.6), so that no other bytes pass for a key. */
static int
wire_has_type(const unsigned char *wire, size_t len, const char *type, size_t type_len)
{
	size_t n;

	if (len < 4)
		return 0;
	n = (size_t)wire[0] << 24 | (size_t)wire[1] << 16 | (size_t)wire[2] << 8 | wire[3];
	return n == type_len && len - 4 > n && memcmp(wire + 4, type, n) == 0;
}

static void
set_fingerprint(struct ssh_key *key, const unsigned char *wire, size_t len)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char *hex;

	EVP_Digest(wire, len, md, &n, EVP_md5(), NULL);
	hex = fl_hex_encode(md, n);
	snprintf(key->fingerprint, sizeof(key->fingerprint), "%s", hex);
	free(hex);
}

int
ssh_key_parse(const char *text, struct ssh_key *key, struct fl_err *err)
{
	static const char want[] = "is no SSH public key: it has the form \"ssh-ed25519 AAAA... comment\"";
	const char *type = text + strspn(text, BLANKS), *data, *comment;
	size_t type_len = strcspn(type, BLANKS), data_len, comment_len, wire_len = 0;
	unsigned char *wire = NULL;

	*key = (struct ssh_key){ 0 };
	if (strstr(text, "PRIVATE KEY") != NULL)
		return fl_err_set(err, FL_ERR_INVALID, "is a private key: keep it, and send the public one (the .pub file)");
	data = type + type_len + strspn(type + type_len, " \t");
	data_len = strcspn(data, BLANKS);
	if (type_len == 0 || data_len == 0 || (wire = fl_base64_decode(data, data_len, &wire_len, NULL)) == NULL ||
	    !wire_has_type(wire, wire_len, type, type_len)) {
		free(wire);
		return fl_err_set(err, FL_ERR_INVALID, "%s", want);
	}
	comment = data + data_len + strspn(data + data_len, " \t");
	comment_len = strcspn(comment, "\r\n");
	while (comment_len > 0 && strchr(" \t", comment[comment_len - 1]) != NULL)
		comment_len--;
	key->key = fl_xasprintf("%.*s %.*s", (int)type_len, type, (int)data_len, data);
	key->comment = fl_xstrndup(comment, comment_len);
	set_fingerprint(key, wire, wire_len);
	free(wire);
	return 0;
}

void
ssh_key_release(struct ssh_key *key)
{
	free(key->key);
	free(key->comment);
	*key = (struct ssh_key){ 0 };
}
