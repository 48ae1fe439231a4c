#include "host/resolvers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "libflynn/json.h"

#define PATH "/etc/resolv.conf"
#define MAX_FILE 8192

static int
is_reachable(const char *ip)
{
	unsigned char addr[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, ip, addr) == 1)
		return addr[0] != 127;
	/* Ours is an IPv4 bridge: a container has no way to an IPv6 server. */
	return 0;
}

size_t
resolvers_parse(const char *text, char out[RESOLVERS_MAX][RESOLVERS_LEN])
{
	size_t n = 0;

	while (*text != '\0' && n < RESOLVERS_MAX) {
		char ip[RESOLVERS_LEN];
		const char *nl = strchr(text, '\n');

		if (sscanf(text, "nameserver %63s", ip) == 1 && is_reachable(ip))
			memcpy(out[n++], ip, sizeof(ip));
		if (nl == NULL)
			break;
		text = nl + 1;
	}
	return n;
}

void
resolvers_write(struct fl_jsonw *w)
{
	char found[RESOLVERS_MAX][RESOLVERS_LEN], text[MAX_FILE] = "";
	FILE *f = fopen(PATH, "re");
	size_t n, len;

	if (f == NULL)
		return;
	len = fread(text, 1, sizeof(text) - 1, f);
	text[len] = '\0';
	fclose(f);
	n = resolvers_parse(text, found);
	for (size_t i = 0; i < n; i++)
		fl_jsonw_str(w, NULL, found[i]);
}
