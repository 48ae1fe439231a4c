#include <stddef.h>

#include "cli/cli.h"

const struct command commands[] = {
	{ "apps", NULL, "[--json]", "list the apps", NULL, cmd_apps },
	{ "cluster", "servers,clusters", "[--json]", "list the clusters we know", NULL, cmd_cluster },
	{ "cluster add", "server-add", "[-g GITHOST] [-p PIN] NAME URL KEY", "know a cluster",
	    "  -g, --git-host HOST[:PORT]  where git push goes; default: the URL's host\n"
	    "  -p, --tls-pin PIN           trust exactly the certificate with this pin\n"
	    "  -f, --force                 replace a cluster of the same name\n"
	    "The line to paste is what the bootstrap of the cluster ends with.\n",
	    cmd_cluster_add },
	{ "cluster default", NULL, "[NAME]", "show or set the cluster that is used when none is named", NULL, cmd_cluster_default },
	{ "cluster remove", "server-remove", "NAME", "forget a cluster", NULL, cmd_cluster_remove },
	{ "completion", NULL, "bash|zsh", "print what makes a shell complete our commands, apps and process types",
	    "For bash:  source <(flynn completion bash)\n"
	    "For zsh:   source <(flynn completion zsh)\n"
	    "make install puts both where shells find them.\n",
	    cmd_completion },
	{ "create", NULL, "[-r REMOTE] [NAME]", "make an app, and a git remote that deploys to it",
	    "  -r, --remote NAME  name of the git remote; default flynn; \"\" makes none\n"
	    "Without a name the cluster chooses one.\n",
	    cmd_create },
	{ "delete", NULL, "[-y]", "delete an app, its jobs, its routes and its volumes",
	    "  -y, --yes  do not ask\n", cmd_delete },
	{ "deploy", NULL, "--image IMAGE [-f FILE]", "let the app run an image",
	    "  -i, --image IMAGE  NAME or NAME:TAG, of the engine of the cluster or of a registry\n"
	    "  -f, --file FILE    a release in JSON: its \"processes\" and \"env\"\n"
	    "Without a file its process types are those that it had of an image before, or else web, which runs the image's command:\n"
	    "it has to listen on $PORT. The environment stays. What the name means now is what is run: a tag that moves changes nothing.\n",
	    cmd_deploy },
	{ "deployment", "deployments", "[--json]", "list the app's deployments, the newest first", NULL, cmd_deployment },
	{ "deployment batch-size", NULL, "[NUMBER]", "show or set how many jobs at a time are replaced in batches",
	    "  NUMBER  default says a third of each type's\n", cmd_deployment_batch_size },
	{ "deployment cancel", NULL, "[ID]", "give up a deployment: what ran before runs on",
	    "Without an id: the one that is being carried out.\n", cmd_deployment_cancel },
	{ "deployment show", NULL, "[--json] ID", "say what became of a deployment", NULL, cmd_deployment_show },
	{ "deployment strategy", NULL, "[STRATEGY]", "show or set how the app's jobs are replaced",
	    "  one-by-one       each new one comes before an old one goes; the default\n"
	    "  in-batches       the same, several at a time\n"
	    "  all-at-once      the same, all together\n"
	    "  one-down-one-up  each old one goes before a new one comes\n"
	    "Types with a volume or a port of their own are always replaced one down, one up.\n",
	    cmd_deployment_strategy },
	{ "deployment timeout", NULL, "[TIME]", "show or set how long each step of a deployment may take",
	    "  TIME  as 90s or 5m; default says 2m. What a health check may take is not counted.\n", cmd_deployment_timeout },
	{ "env", NULL, "[-t TYPE] [--json]", "list the environment of the app", "  -t, --process-type TYPE  of one process type only\n", cmd_env },
	{ "env export", NULL, "[-t TYPE] [FILE]", "write the environment as lines that env load and sh read",
	    "  -t, --process-type TYPE  of one process type only\n"
	    "Into a file that only you can read; without one, to standard output.\n",
	    cmd_env_export },
	{ "env get", NULL, "[-t TYPE] NAME", "print a variable", "  -t, --process-type TYPE  of one process type only\n", cmd_env_get },
	{ "env load", NULL, "[-t TYPE] FILE", "set the variables of a file, as a new release",
	    "  -t, --process-type TYPE  for one process type only\n"
	    "A line is NAME=VALUE, a value may be quoted, # begins a comment; - is standard input.\n",
	    cmd_env_load },
	{ "env save", NULL, "[-t TYPE] FILE", "as env export", NULL, cmd_env_export },
	{ "env set", NULL, "[-t TYPE] [-f FILE] NAME=VALUE ...", "set variables, as one new release",
	    "  -t, --process-type TYPE  for one process type only\n"
	    "  -f, --file FILE          and those of a file, as env load reads it\n",
	    cmd_env_set },
	{ "env unset", NULL, "[-t TYPE] NAME ...", "remove variables, as a new release",
	    "  -t, --process-type TYPE  for one process type only\n", cmd_env_unset },
	{ "exec", NULL, "[-e NAME=VALUE] JOB COMMAND [ARGUMENT ...]", "run a command in a job that runs",
	    "  -e, --env NAME=VALUE  set a variable for it\n"
	    "JOB is a job's id, the beginning of one, or a process type: its newest job.\n"
	    "Exits with the command's status.\n",
	    cmd_exec },
	{ "health", NULL, "[--json]", "show how the health of each process type is asked for", NULL, cmd_health },
	{ "health set", NULL, "TYPE [path=PATH] [status=STATUS] [timeout=TIME]", "ask for the health of a process type so, as a new release",
	    "  path=PATH       by GET, as path=/up; without it, by a TCP connection\n"
	    "  status=STATUS   healthy is this answer; default: any of 200 to 399\n"
	    "  timeout=TIME    how long a job may take until it is healthy, as 30s or 2m; default 30s\n"
	    "A job gets requests once it is healthy; a deployment fails when one does not become so.\n",
	    cmd_health_set },
	{ "health unset", NULL, "TYPE", "ask by a TCP connection within 30s again, as a new release", NULL, cmd_health_unset },
	{ "help", NULL, "[COMMAND]", "say how a command is used", NULL, cmd_help },
	{ "info", NULL, "[--json]", "show what there is to know of the app", NULL, cmd_info },
	{ "key", "keys", "[--json]", "list the SSH keys that may push", NULL, cmd_key },
	{ "key add", NULL, "[FILE]", "let an SSH key push",
	    "Without a file: the keys of the SSH agent, else ~/.ssh/id_ed25519.pub, id_ecdsa.pub or id_rsa.pub.\n", cmd_key_add },
	{ "key remove", NULL, "FINGERPRINT", "take a key's right to push", NULL, cmd_key_remove },
	{ "kill", NULL, "JOB ...", "stop jobs; the scheduler starts new ones where the formation asks for them",
	    "JOB is a job's id or the beginning of one. flynn restart replaces jobs without a gap.\n", cmd_kill },
	{ "limit", "limits", "[-t TYPE] [--json]", "show how much memory and CPU each job of a process type may use",
	    "  -t, --process-type TYPE  of one process type only\n", cmd_limit },
	{ "limit set", NULL, "TYPE [memory=SIZE] [cpu=MILLI]", "limit the jobs of a process type, as a new release",
	    "SIZE is bytes, or a number with KB, MB or GB, as 512MB; MILLI is thousandths of a CPU, as 500.\n"
	    "none takes a limit away.\n",
	    cmd_limit_set },
	{ "log", "logs", "[-f] [-n N] [-t TYPE] [-j JOB] [--since WHEN] [--source SOURCE] [-r] [-s] [--json] [JOB]", "show what the app's jobs print",
	    "  -f, --follow             go on showing what comes\n"
	    "  -n, --number N           so many of the last lines; default 100, with -f 10\n"
	    "  -t, --process-type TYPE  of this process type only\n"
	    "  -j, --job JOB            of this job only: its id or the beginning of it\n"
	    "      --since WHEN         all since then: 10m ago, or 2006-01-02T15:04:05Z\n"
	    "      --source SOURCE      app, router (the requests that it had), or app,router; default app\n"
	    "  -r, --raw-output         nothing but what was printed\n"
	    "  -s, --split-stderr       standard error on ours\n"
	    "      --json               an object a line\n"
	    "With JOB and no option but -f and -s: the whole output of that job, as it was printed.\n",
	    cmd_log },
	{ "pg dump", NULL, "[-f FILE]", "dump the app's database, in pg_restore's own format", "  -f, --file FILE  into this file, not to standard output\n", cmd_pg_dump },
	{ "pg psql", NULL, "[--] [ARGUMENT ...]", "run psql on the app's database", "The arguments are psql's own, as -c STATEMENT.\n", cmd_pg_psql },
	{ "pg restore", NULL, "[-f FILE]", "restore a dump into the app's database, all of it or nothing",
	    "  -f, --file FILE  from this file, not from standard input\n"
	    "What is in the dump replaces what the database has under the same names.\n",
	    cmd_pg_restore },
	{ "provider", "providers", "[--json]", "list what can provide resources", NULL, cmd_provider },
	{ "ps", NULL, "[-a] [--json]", "list the jobs of the app, and what they use",
	    "  -a, --all  those that ended, too, and why\n"
	    "CPU is since somebody last looked, and 100% is one processor.\n",
	    cmd_ps },
	{ "release add", "release-add-docker", "[-t docker] [-f FILE] IMAGE", "make a release of an image, just as it is said",
	    "  -t TYPE          of the artifact: docker\n"
	    "  -f, --file FILE  a release in JSON: its \"processes\" and \"env\"\n"
	    "The image is NAME, NAME:TAG or a URI such as https://registry.hub.docker.com/NAME?id=ID.\n"
	    "flynn deploy --image does more: it keeps what the last release says.\n",
	    cmd_release_add },
	{ "release show", NULL, "[--json] [VERSION]", "show a release of the app; without a version, its current one", NULL, cmd_release_show },
	{ "releases", "release", "[--json]", "list the releases that the app has had", NULL, cmd_releases },
	{ "requests", NULL, "[-f] [-n N] [--status STATUS] [--slow TIME] [--host HOST] [--json]", "show the last requests that the app had",
	    "  -f, --follow         go on showing what comes\n"
	    "  -n, --number N       so many; default 100, with -f 10\n"
	    "      --status STATUS  of this status, as 404, or class, as 5xx\n"
	    "      --slow TIME      that took so long at least, as 500ms or 2s\n"
	    "      --host HOST      to this host\n"
	    "      --json           with -f one object a line\n"
	    "The newest is at the end. Bytes are those of the answer's body.\n",
	    cmd_requests },
	{ "resource", "resources", "[--json]", "list the resources of the app", NULL, cmd_resource },
	{ "resource add", NULL, "PROVIDER", "give the app a resource, as a database: its environment says how to reach it", NULL, cmd_resource_add },
	{ "resource remove", NULL, "[-y] PROVIDER [ID]", "give back a resource of the app, with all its data, as a new release",
	    "  -y, --yes  do not ask\n"
	    "One that other apps have too stays theirs.\n",
	    cmd_resource_remove },
	{ "restart", NULL, "[TYPE | JOB]", "replace the app's jobs by new ones, one by one and without a gap",
	    "All of them, those of a process type, or one. Each new one has to serve before an old one is stopped.\n", cmd_restart },
	{ "rollback", NULL, "[VERSION]", "go back to a release that the app has had, with its code and its environment",
	    "Without a version: to the one before the current that runs something.\n", cmd_rollback },
	{ "route", "routes", "[--json]", "list the routes of the app", NULL, cmd_route },
	{ "route add", NULL, "[-s SERVICE] [--path PATH] [-c CERT -k KEY] [OPTION ...] DOMAIN", "as route add http", NULL, cmd_route_add_http },
	{ "route add http", NULL, "[-s SERVICE] [--path PATH] [-c CERT -k KEY] [OPTION ...] DOMAIN", "send the requests for a domain to the app",
	    "  -s, --service NAME           instead of APP-web\n"
	    "      --path PATH              only those at this path and below it, as /api\n"
	    "  -c, --tls-cert FILE          certificate chain in PEM; - is standard input\n"
	    "  -k, --tls-key FILE           its private key\n"
	    "      --auto-tls               get a certificate and renew it, if the router knows an ACME server\n"
	    "      --redirect-https         send what comes without TLS to HTTPS\n"
	    "      --sticky                 keep each client on one instance\n"
	    "      --leader                 to the leader of the service only\n"
	    "      --maintenance            answer with a page that says so\n"
	    "      --maintenance-text TEXT  the sentence on it\n"
	    "*.DOMAIN means every name below DOMAIN that has no route of its own.\n",
	    cmd_route_add_http },
	{ "route add tcp", NULL, "[-s SERVICE] [-p PORT] [--leader]", "send the connections to a port to the app",
	    "  -s, --service NAME  instead of APP-web\n"
	    "  -p, --port PORT     instead of the next free one\n"
	    "      --leader        to the leader of the service only\n",
	    cmd_route_add_tcp },
	{ "route remove", NULL, "ID", "remove a route", NULL, cmd_route_remove },
	{ "route update", NULL, "OPTION ... ID", "change what a route says",
	    "  -s, --service NAME           send its requests there\n"
	    "  -c, --tls-cert FILE          certificate chain in PEM; - is standard input\n"
	    "  -k, --tls-key FILE           its private key\n"
	    "      --no-tls                 no HTTPS\n"
	    "      --[no-]auto-tls          get a certificate and renew it\n"
	    "      --[no-]redirect-https    send what comes without TLS to HTTPS\n"
	    "      --[no-]sticky            keep each client on one instance\n"
	    "      --[no-]leader            to the leader of the service only\n"
	    "      --[no-]maintenance       answer with a page that says so\n"
	    "      --maintenance-text TEXT  the sentence on it\n"
	    "What is not said stays. Domain, path and port cannot be changed: add another route.\n",
	    cmd_route_update },
	{ "run", NULL, "[-d] [-e NAME=VALUE] [-l] [-r RELEASE] [-s SIZE] [--] COMMAND [ARGUMENT ...]", "run a command in a new job of the app",
	    "  -d, --detached         do not wait for it: print its job id\n"
	    "  -e, --env NAME=VALUE   set a variable for this job\n"
	    "  -l, --enable-log       as it is anyway: flynn log has its output\n"
	    "  -r, --release RELEASE  of another release than the app's: its number, as v3, or id\n"
	    "  -s, --size SIZE        what it may use: 512MB of memory, or memory=512MB, cpu=500\n"
	    "Exits with the command's status.\n",
	    cmd_run },
	{ "scale", NULL, "[-n] [-r RELEASE] [--json] [TYPE=COUNT ...]", "set how many jobs of each process type run; without arguments, show it",
	    "  -n, --no-wait          do not wait until they serve\n"
	    "  -r, --release RELEASE  of another release than the app's: its number, as v3, or id\n",
	    cmd_scale },
	{ "volume", "volumes", "[--json]", "list the app's volumes: what its jobs keep", NULL, cmd_volume },
	{ "volume attach", "volume-add", "TYPE [PATH]", "give the jobs of a process type a volume, as a new release",
	    "At /data, unless PATH says otherwise. What is there outlives jobs and releases.\n"
	    "All jobs of the type share it, so they run on one host, and an old job ends before a new one begins.\n",
	    cmd_volume_attach },
	{ "volume detach", NULL, "TYPE [PATH]", "take a volume from the jobs of a process type, as a new release",
	    "Its data stays, and is there again when it is attached again.\n", cmd_volume_detach },
	{ "volume decommission", NULL, "ID", "give jobs to come a new volume in its place",
	    "Jobs that run keep it until they are replaced (flynn restart), and its data stays until flynn volume remove.\n"
	    "Where its host is away for good, jobs start on another one.\n",
	    cmd_volume_decommission },
	{ "volume list", NULL, "[--json]", "as volume", NULL, cmd_volume },
	{ "volume remove", NULL, "[-y] ID", "delete a volume with its data", "  -y, --yes  do not ask\n", cmd_volume_remove },
	{ "version", NULL, "", "print the version", NULL, cmd_version },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};
