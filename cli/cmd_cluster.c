#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/config.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/base64.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define PIN_BYTES 32

static int
list_json(const struct config *config)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '[');
	for (size_t i = 0; i < config->n; i++) {
		fl_jsonw_open(&w, NULL, '{');
		fl_jsonw_str(&w, "name", config->clusters[i].name);
		fl_jsonw_str(&w, "url", config->clusters[i].url);
		fl_jsonw_str(&w, "git_host", config->clusters[i].git_host);
		fl_jsonw_bool(&w, "default", config_is_default(config, &config->clusters[i]));
		fl_jsonw_close(&w, '}');
	}
	fl_jsonw_close(&w, ']');
	printf("%s\n", fl_buf_cstr(&b));
	fl_buf_release(&b);
	return 0;
}

int
cmd_cluster(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	static const char *const heads[] = { "NAME", "URL", "DEFAULT", NULL };
	struct table *t;

	if (argc > 1)
		return cli_usage("cluster");
	if (cli->json)
		return list_json(cli->config);
	t = table_new(heads);
	for (size_t i = 0; i < cli->config->n; i++)
		table_row(t, cli->config->clusters[i].name, cli->config->clusters[i].url,
		    config_is_default(cli->config, &cli->config->clusters[i]) ? "default" : "");
	table_print(t);
	return 0;
}

static int
check_pin(const char *pin, struct fl_err *err)
{
	size_t len = 0;
	void *bytes = fl_base64_decode(pin, strlen(pin), &len, NULL);

	free(bytes);
	if (bytes == NULL || len != PIN_BYTES)
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is no pin: a pin is the base64 of 32 bytes, as bootstrap printed it", pin);
	return 0;
}

static int
check(const struct cluster *cluster, const struct fl_url *url, struct fl_err *err)
{
	bool https = strcmp(url->scheme, "https") == 0;

	if (!https && strcmp(url->scheme, "http") != 0)
		return fl_err_set(err, FL_ERR_INVALID, "%s: a cluster is reached by https", cluster->url);
	if (cluster->pin != NULL && !https)
		return fl_err_set(err, FL_ERR_INVALID, "%s has no certificate that the pin could be compared with: write https", cluster->url);
	return cluster->pin != NULL ? check_pin(cluster->pin, err) : 0;
}

static int
add(struct cli *cli, struct cluster *cluster, bool force, struct fl_err *err)
{
	struct fl_url url = { 0 };
	int r = -1;

	if (fl_url_parse(cluster->url, &url, err) == -1 || check(cluster, &url, err) == -1)
		goto out;
	if (cluster->git_host == NULL)
		cluster->git_host = url.host;
	if ((force ? config_replace : config_add)(cli->config, cluster, err) == -1 || config_write(cli->config, err) == -1)
		goto out;
	r = 0;
out:
	fl_url_release(&url);
	return r;
}

int
cmd_cluster_add(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "git-host", required_argument, NULL, 'g' },
		{ "tls-pin", required_argument, NULL, 'p' },
		{ "force", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	struct cluster cluster = { 0 };
	bool force = false;
	struct fl_err err;
	int c;

	while ((c = getopt_long(argc, argv, "g:p:f", options, NULL)) != -1) {
		switch (c) {
		case 'g':
			cluster.git_host = optarg;
			break;
		case 'p':
			cluster.pin = optarg;
			break;
		case 'f':
			force = true;
			break;
		default:
			return cli_usage("cluster add");
		}
	}
	if (argc - optind != 3)
		return cli_usage("cluster add");
	cluster.name = argv[optind];
	cluster.url = argv[optind + 1];
	cluster.key = argv[optind + 2];
	if (add(cli, &cluster, force, &err) == -1)
		return cli_fail(&err);
	fprintf(stderr, "Cluster \"%s\" added.\n", cluster.name);
	return 0;
}

int
cmd_cluster_remove(struct cli *cli, int argc, char **argv)
{
	struct fl_err err;

	if (argc != 2)
		return cli_usage("cluster remove");
	if (!config_remove(cli->config, argv[1])) {
		fl_err_set(&err, FL_ERR_NOT_FOUND, "there is no cluster \"%s\" in %s", argv[1], cli->config->path);
		return cli_fail(&err);
	}
	if (config_write(cli->config, &err) == -1)
		return cli_fail(&err);
	fprintf(stderr, "Cluster \"%s\" removed.\n", argv[1]);
	return 0;
}

int
cmd_cluster_default(struct cli *cli, int argc, char **argv)
{
	struct fl_err err;

	if (argc > 2)
		return cli_usage("cluster default");
	if (argc == 1) {
		if (cli_cluster(cli, &err) == NULL)
			return cli_fail(&err);
		printf("%s\n", cli->cluster->name);
		return 0;
	}
	if (config_find(cli->config, argv[1]) == NULL) {
		fl_err_set(&err, FL_ERR_NOT_FOUND, "there is no cluster \"%s\" in %s", argv[1], cli->config->path);
		return cli_fail(&err);
	}
	free(cli->config->default_name);
	cli->config->default_name = fl_xstrdup(argv[1]);
	if (config_write(cli->config, &err) == -1)
		return cli_fail(&err);
	fprintf(stderr, "Cluster \"%s\" is the default now.\n", argv[1]);
	return 0;
}
