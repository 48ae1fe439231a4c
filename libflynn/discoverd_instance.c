/*
 * discoverd_instance - an instance as discoverd writes it, and the id that it must have.
 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "libflynn/base64.h"
#include "libflynn/buf.h"
#include "libflynn/discoverd_internal.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

char *
fl_instance_id(const char *proto, const char *addr)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	struct fl_buf text = { 0 };

	fl_buf_addf(&text, "%s-%s", proto, addr);
	EVP_Digest(text.data, text.len, digest, &len, EVP_md5(), NULL);
	fl_buf_release(&text);
	return fl_hex_encode(digest, len);
}

static struct fl_map *
parse_meta(const struct fl_json *v)
{
	struct fl_map *meta;

	if (fl_json_type(v) != FL_JSON_OBJECT)
		return NULL;
	meta = fl_map_new();
	for (size_t i = 0; i < fl_json_len(v); i++)
		fl_map_set(meta, fl_json_key_at(v, i), fl_xstrdup(fl_json_str(fl_json_at(v, i), "")));
	return meta;
}

struct fl_instance *
fl_instance_parse(const struct fl_json *v)
{
	struct fl_instance *i;
	const char *id = fl_json_str(fl_json_get(v, "id"), NULL), *addr = fl_json_str(fl_json_get(v, "addr"), NULL);

	if (id == NULL || addr == NULL)
		return NULL;
	i = fl_xcalloc(1, sizeof(*i));
	i->id = fl_xstrdup(id);
	i->addr = fl_xstrdup(addr);
	i->proto = fl_xstrdup(fl_json_str(fl_json_get(v, "proto"), "tcp"));
	i->index = (uint64_t)fl_json_int(fl_json_get(v, "index"), 0);
	i->meta = parse_meta(fl_json_get(v, "meta"));
	return i;
}

void
fl_instance_free(struct fl_instance *i)
{
	if (i == NULL)
		return;
	free(i->id);
	free(i->addr);
	free(i->proto);
	fl_map_free_with(i->meta, free);
	free(i);
}
