/*
 * flynn-router - HTTP, HTTPS and TCP in, instances out.
 */
#include <stdlib.h>
#include <string.h>

#include "libflynn/args.h"
#include "libflynn/attr.h"
#include "libflynn/daemon.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "router/acme_decide.h"
#include "router/cidr.h"
#include "router/router.h"

enum { REQUESTS_MAX = 1 << 22 };

#define AT(field) offsetof(struct router_config, field)
static const struct fl_args_opt options[] = {
	{ "httpaddr", "HTTP_ADDR", ":80", FL_ARGS_STR, AT(http_addr), "ip:port of HTTP; no ip: every address" },
	{ "httpsaddr", "HTTPS_ADDR", ":443", FL_ARGS_STR, AT(https_addr), "ip:port of HTTPS" },
	{ "apiaddr", "API_ADDR", "", FL_ARGS_STR, AT(api_addr), "ip:port of the API; default: PORT on every address" },
	{ "tcpip", "TCP_IP", "", FL_ARGS_STR, AT(tcp_ip), "address that TCP routes listen on; default: every address" },
	{ "tcp-range-start", "TCP_RANGE_START", "3000", FL_ARGS_INT, AT(tcp_range_start), "first port of TCP routes that ask for any" },
	{ "tcp-range-end", "TCP_RANGE_END", "3500", FL_ARGS_INT, AT(tcp_range_end), "last of them" },
	{ "threads", "THREADS", "0", FL_ARGS_INT, AT(n_threads), "event loops; 0: one a core" },
	{ "head-timeout", "HEAD_TIMEOUT", "30", FL_ARGS_INT, AT(head_timeout_s), "seconds for a client to send a request's head" },
	{ "answer-timeout", "ANSWER_TIMEOUT", "300", FL_ARGS_INT, AT(answer_timeout_s), "seconds for an instance to begin its answer" },
	{ "idle-timeout", "IDLE_TIMEOUT", "75", FL_ARGS_INT, AT(idle_timeout_s), "seconds that a connection is kept for another request" },
	{ "body-timeout", "BODY_TIMEOUT", "60", FL_ARGS_INT, AT(body_timeout_s), "seconds for a client to send more of a request's body" },
	{ "send-timeout", "SEND_TIMEOUT", "60", FL_ARGS_INT, AT(send_timeout_s), "seconds for a client to take more of what it is sent" },
	{ "min-rate", "MIN_RATE", "0", FL_ARGS_INT, AT(min_rate), "bytes a second that bodies must move at least; 0: any" },
	{ "buffer-memory", "BUFFER_MEMORY", "0", FL_ARGS_INT, AT(buffer_mib), "MiB to hold for slow clients and instances; 0: an eighth of the memory" },
	{ "max-connections", "MAX_CONNECTIONS", "0", FL_ARGS_INT, AT(max_connections), "clients' connections at once; 0: by the limit of descriptors" },
	{ "max-connections-per-client", "MAX_CONNECTIONS_PER_CLIENT", "0", FL_ARGS_INT, AT(max_connections_per_client), "of one address, or IPv6 network of 64 bits; 0: any" },
	{ "drain-timeout", "DRAIN_TIMEOUT", "10", FL_ARGS_INT, AT(drain_timeout_s), "seconds for connections to end once told to stop" },
	{ "trusted-proxies", "TRUSTED_PROXIES", NULL, FL_ARGS_STR, AT(trusted_proxies), "networks whose X-Forwarded headers are believed, by comma, or none" },
	{ "access-log", "ACCESS_LOG", "off", FL_ARGS_STR, AT(access_log), "requests to log: off, all, errors, or 1/N of them" },
	{ "access-log-to", "ACCESS_LOG_TO", "stdout", FL_ARGS_STR, AT(access_log_to), "where to: stdout, stderr or a file" },
	{ "requests", "REQUESTS", "65536", FL_ARGS_INT, AT(n_requests), "requests to remember for GET /requests; 0: none" },
	{ "route-metrics", "ROUTE_METRICS", "on", FL_ARGS_STR, AT(route_metrics), "metrics by route: on or off" },
	{ "proxy-protocol", "PROXY_PROTOCOL", NULL, FL_ARGS_BOOL, AT(is_proxied), "HTTP and HTTPS connections begin with a PROXY header" },
	{ "default-cert", "DEFAULT_CERT", NULL, FL_ARGS_STR, AT(default_cert), "PEM file of the certificate and key for clients that name no host, or \"self\"; default: they are refused" },
	{ "ticket-rotation", "TICKET_ROTATION", "28800", FL_ARGS_INT, AT(ticket_rotation_s), "seconds until TLS session tickets are sealed by a new key" },
	{ "start-timeout", "START_TIMEOUT", "30", FL_ARGS_INT, AT(start_timeout_s), "seconds that requests wait for an instance that is starting; 0: not at all" },
	{ "acme-directory", "ACME_DIRECTORY", NULL, FL_ARGS_STR, AT(acme_directory), "URL of the ACME server's directory, whose terms are agreed to; default: no ACME" },
	{ "acme-email", "ACME_EMAIL", NULL, FL_ARGS_STR, AT(acme_email), "address of the ACME account" },
	{ "acme-ca", "ACME_CA", NULL, FL_ARGS_STR, AT(acme_ca), "PEM file of the CAs to trust with the ACME server; default: the system's" },
	{ "acme-challenge", "ACME_CHALLENGE", "http-01", FL_ARGS_STR, AT(acme_challenge), "how to prove that a domain leads here: http-01 or tls-alpn-01" },
	{ "acme-retry", "ACME_RETRY", "120", FL_ARGS_INT, AT(acme_retry_s), "seconds until an order that failed is made again; doubled each time" },
	{ NULL, "ACME_EAB_KID", NULL, FL_ARGS_STR, AT(acme_eab_kid), "external account that the ACME account is bound to" },
	{ NULL, "ACME_EAB_KEY", NULL, FL_ARGS_STR, AT(acme_eab_key), "its key, as base64url" },
	{ "etcd", "ETCD", "http://127.0.0.1:2379", FL_ARGS_STR, AT(etcd_urls), "etcd's URLs, by comma" },
	{ "discoverd", "DISCOVERD", NULL, FL_ARGS_STR, AT(discoverd_addr), "ip:port of discoverd; default: EXTERNAL_IP, port 1111" },
	{ NULL, "EXTERNAL_IP", "127.0.0.1", FL_ARGS_STR, AT(external_ip), "this machine's address" },
	{ NULL, "PORT", "5000", FL_ARGS_INT, AT(port), "port of the API" },
	{ NULL, "CLUSTER_KEY", NULL, FL_ARGS_STR, AT(key), "what callers of the API must know, and etcd and discoverd ask for" },
	{ 0 },
};

static int
check_bounds(const struct router_config *cfg, struct fl_err *err)
{
	const struct {
		const char *name;
		int s;
	} times[] = {
		{ "idle-timeout", cfg->idle_timeout_s },
		{ "body-timeout", cfg->body_timeout_s },
		{ "send-timeout", cfg->send_timeout_s },
	};

	for (size_t i = 0; i < fl_nitems(times); i++)
		if (times[i].s < 1 || times[i].s > 86400)
			return fl_err_set(err, FL_ERR_INVALID, "-%s is 1 to 86400 s", times[i].name);
	if (cfg->max_connections < 0 || cfg->max_connections_per_client < 0)
		return fl_err_set(err, FL_ERR_INVALID, "-max-connections and -max-connections-per-client are 0, or how many");
	if (cfg->buffer_mib < 0)
		return fl_err_set(err, FL_ERR_INVALID, "-buffer-memory is 0, or MiB");
	if (cfg->min_rate < 0)
		return fl_err_set(err, FL_ERR_INVALID, "-min-rate is 0, or bytes a second");
	return 0;
}

static int
check(struct router_config *cfg, struct fl_err *err)
{
	struct fl_err why = { 0 };

	if (cfg->key == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "CLUSTER_KEY is not set: without it anybody could change routes");
	if (cfg->head_timeout_s < 1 || cfg->head_timeout_s > 3600 || cfg->answer_timeout_s < 1 || cfg->answer_timeout_s > 86400)
		return fl_err_set(err, FL_ERR_INVALID, "-head-timeout is 1 to 3600 s, -answer-timeout 1 to 86400 s");
	if (cfg->n_requests < 0 || cfg->n_requests > REQUESTS_MAX)
		return fl_err_set(err, FL_ERR_INVALID, "-requests is 0 to %d", REQUESTS_MAX);
	if (access_log_parse(cfg->access_log, &cfg->access_log_mode, &why) == -1)
		return fl_err_set(err, FL_ERR_INVALID, "-access-log: %s", why.msg);
	if (strcmp(cfg->route_metrics, "on") != 0 && strcmp(cfg->route_metrics, "off") != 0)
		return fl_err_set(err, FL_ERR_INVALID, "-route-metrics is on or off");
	if (cfg->ticket_rotation_s < 2 || cfg->ticket_rotation_s > 172800)
		return fl_err_set(err, FL_ERR_INVALID, "-ticket-rotation is 2 to 172800 s");
	if (cfg->start_timeout_s < 0 || cfg->start_timeout_s > 3600)
		return fl_err_set(err, FL_ERR_INVALID, "-start-timeout is 0 to 3600 s");
	if (cfg->tcp_range_start < 1 || cfg->tcp_range_end > 65535 || cfg->tcp_range_start > cfg->tcp_range_end)
		return fl_err_set(err, FL_ERR_INVALID, "-tcp-range-start to -tcp-range-end is no range of ports");
	if (acme_challenge_of(cfg->acme_challenge) == ACME_CHALLENGES || cfg->acme_retry_s < 1 || cfg->acme_retry_s > 86400)
		return fl_err_set(err, FL_ERR_INVALID, "-acme-challenge is http-01 or tls-alpn-01, -acme-retry 1 to 86400 s");
	if (cfg->discoverd_addr == NULL)
		cfg->discoverd_addr = fl_xasprintf("%s:1111", cfg->external_ip);
	if (check_bounds(cfg, err) == -1)
		return -1;
	if (cfg->drain_timeout_s < 0 || cfg->drain_timeout_s > 86400)
		return fl_err_set(err, FL_ERR_INVALID, "-drain-timeout is 0 to 86400 s");
	if (cfg->trusted_proxies != NULL && (cfg->trusted = cidr_list_parse(cfg->trusted_proxies, &why)) == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "-trusted-proxies: %s", why.msg);
	return 0;
}

int
main(int argc, char **argv)
{
	struct event_base *base = fl_daemon_init("router");
	struct router_config cfg = { 0 };
	struct router *r = NULL;
	struct fl_err err = { 0 };
	int status = FL_EXIT_USAGE;

	if (fl_args_parse(options, &cfg, argc, argv, NULL, &err) == -1 || check(&cfg, &err) == -1)
		goto out;
	status = FL_EXIT_FAILED;
	if ((r = router_new(base, &cfg, &err)) == NULL)
		goto out;
	fl_daemon_run(base, cfg.drain_timeout_s, router_stop, r);
	status = EXIT_SUCCESS;
out:
	if (status != EXIT_SUCCESS)
		fl_log_error("cannot start", fl_str("err", err.msg));
	router_free(r);
	free(cfg.trusted);
	fl_args_release(options, &cfg, NULL);
	fl_daemon_free(base);
	return status;
}
