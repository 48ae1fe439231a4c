#include <libssh/libssh.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gitreceive/cluster.h"
#include "gitreceive/ssh_key.h"
#include "libflynn/base64.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/sign.h"
#include "libflynn/xmalloc.h"

char *
ssh_key_fingerprint(ssh_key key)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_len = 0;
	char *text = NULL, *hex = NULL;
	void *wire = NULL;
	size_t len = 0;

	if (ssh_pki_export_pubkey_base64(key, &text) == SSH_OK &&
	    (wire = fl_base64_decode(text, strlen(text), &len, NULL)) != NULL &&
	    EVP_Digest(wire, len, digest, &digest_len, EVP_md5(), NULL) == 1)
		hex = fl_hex_encode(digest, digest_len);
	ssh_string_free_char(text);
	free(wire);
	return hex;
}

/* The whole key must be the one on record: MD5 alone names it, it does not prove it. */
static bool
is_on_record(ssh_key key, const char *record)
{
	const char *space = record != NULL ? strchr(record, ' ') : NULL;
	char *text = NULL;
	bool same = space != NULL && ssh_pki_export_pubkey_base64(key, &text) == SSH_OK && fl_sign_key_eq(text, space + 1);

	ssh_string_free_char(text);
	return same;
}

int
ssh_key_check(const struct cluster *c, ssh_key key, struct fl_err *err)
{
	char *fingerprint = ssh_key_fingerprint(key), *path;
	struct fl_json *record;
	int r = -1;

	if (fingerprint == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "a key of type %s cannot be read", ssh_key_type_to_char(ssh_key_type(key)));
	path = fl_xasprintf("/keys/%s", fingerprint);
	record = cluster_call(c, "GET", path, NULL, err);
	if (record != NULL && is_on_record(key, fl_json_str(fl_json_get(record, "key"), NULL)))
		r = 0;
	else if (record != NULL)
		fl_err_set(err, FL_ERR_NOT_FOUND, "key %s", fingerprint);
	fl_json_free(record);
	free(fingerprint);
	free(path);
	return r;
}
