/*
 * httpd - the one process of an image without anything else: says its version on $PORT.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int
main(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY) };
	const char *port = getenv("PORT"), *version = getenv("VERSION");
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1, client;
	char request[4096], answer[256];

	any.sin_port = htons((in_port_t)atoi(port != NULL ? port : "80"));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&any, sizeof(any)) == -1 || listen(listener, 16) == -1)
		goto out;
	version = version != NULL ? version : "";
	snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(version), version);
	while ((client = accept(listener, NULL, NULL)) != -1) {
		if (read(client, request, sizeof(request)) > 0 && write(client, answer, strlen(answer)) > 0)
			shutdown(client, SHUT_WR);
		close(client);
	}
out:
	close(listener);
	return 1; /* it serves for ever */
}
