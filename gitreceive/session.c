/*
 * One SSH connection, on standard input: a known key, one command, and out.
 */
#include <fcntl.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitreceive/cluster.h"
#include "gitreceive/command.h"
#include "gitreceive/gitreceive.h"
#include "gitreceive/privileges.h"
#include "gitreceive/receive.h"
#include "gitreceive/repository.h"
#include "gitreceive/ssh_key.h"
#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

/* From the first byte to the command; SIGALRM ends a client that takes longer. */
#define LOGIN_S 30
/* What is deleted, is deleted by who comes next, and he holds a place meanwhile. */
#define REMOVE_S 60
#define MAX_KEYS 10
#define GOODBYE_MS 2000
#define PEM_END "-----END "

struct session {
	struct cluster cluster;
	ssh_bind bind;
	ssh_session ssh;
	ssh_event event;
	ssh_channel channel;
	struct ssh_channel_callbacks_struct channel_callbacks;
	int keys_tried;
	bool authenticated, banner_sent;
	char *command;
};

static void
send_banner(struct session *s, const char *text)
{
	ssh_string banner;

	if (s->banner_sent || (banner = ssh_string_from_char(text)) == NULL)
		return;
	s->banner_sent = true;
	ssh_send_issue_banner(s->ssh, banner);
	ssh_string_free(banner);
}

/* A client may hold several keys and offers them in turn, so the first refusal explains itself, once. */
static void
explain_refusal(struct session *s, ssh_key key, const struct fl_err *err)
{
	char *fingerprint = ssh_key_fingerprint(key), *text;

	if (err->kind == FL_ERR_NOT_FOUND)
		text = fl_xasprintf("flynn: your SSH key %s is not known to this cluster: if you have no other, add it with flynn key-add\r\n",
		    fingerprint != NULL ? fingerprint : "");
	else
		text = fl_xasprintf("flynn: your SSH key cannot be checked: %s: try again in a moment\r\n", err->msg);
	send_banner(s, text);
	free(fingerprint);
	free(text);
}

static int
on_pubkey(FL_UNUSED ssh_session ssh, FL_UNUSED const char *user, struct ssh_key_struct *key, char state, void *arg)
{
	struct session *s = arg;
	struct fl_err err;

	if (state == SSH_PUBLICKEY_STATE_ERROR || state == SSH_PUBLICKEY_STATE_WRONG)
		return SSH_AUTH_DENIED;
	if (state == SSH_PUBLICKEY_STATE_NONE && ++s->keys_tried > MAX_KEYS)
		return SSH_AUTH_DENIED;
	if (ssh_key_check(&s->cluster, key, &err) == -1) {
		explain_refusal(s, key, &err);
		return SSH_AUTH_DENIED;
	}
	s->authenticated = s->authenticated || state == SSH_PUBLICKEY_STATE_VALID;
	return SSH_AUTH_SUCCESS;
}

static int
on_exec(FL_UNUSED ssh_session ssh, FL_UNUSED ssh_channel channel, const char *command, void *arg)
{
	struct session *s = arg;

	if (s->command != NULL)
		return 1;
	s->command = fl_xstrdup(command);
	return 0;
}

/* git sends GIT_PROTOCOL: taken without effect, for receive-pack speaks the first protocol anyway. */
static int
on_env(FL_UNUSED ssh_session ssh, FL_UNUSED ssh_channel channel, FL_UNUSED const char *name, FL_UNUSED const char *value,
    FL_UNUSED void *arg)
{
	return 0;
}

static int
on_shell(FL_UNUSED ssh_session ssh, ssh_channel channel, void *arg)
{
	return on_exec(ssh, channel, "shell", arg);
}

static ssh_channel
on_channel(ssh_session ssh, void *arg)
{
	struct session *s = arg;

	if (!s->authenticated || s->channel != NULL)
		return NULL;
	s->channel = ssh_channel_new(ssh);
	s->channel_callbacks = (struct ssh_channel_callbacks_struct){
		.userdata = s, .channel_exec_request_function = on_exec,
		.channel_env_request_function = on_env, .channel_shell_request_function = on_shell
	};
	ssh_callbacks_init(&s->channel_callbacks);
	ssh_set_channel_callbacks(s->channel, &s->channel_callbacks);
	return s->channel;
}

/* Each PEM block of SSH_PRIVATE_KEYS becomes a host key. */
static int
import_host_keys(ssh_bind bind, const char *pem, struct fl_err *err)
{
	int n = 0;

	while ((pem = strstr(pem, "-----BEGIN ")) != NULL) {
		const char *end = strstr(pem, PEM_END), *newline = end != NULL ? strchr(end, '\n') : NULL;
		size_t len = newline != NULL ? (size_t)(newline + 1 - pem) : strlen(pem);
		char *block = fl_xstrndup(pem, len);
		ssh_key key = NULL;

		if (ssh_pki_import_privkey_base64(block, NULL, NULL, NULL, &key) == SSH_OK &&
		    ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, key) == SSH_OK)
			n++;
		explicit_bzero(block, len);
		free(block);
		pem += len;
	}
	return n > 0 ? 0 : fl_err_set(err, FL_ERR_INVALID, "SSH_PRIVATE_KEYS holds no private key that can be read");
}

static int
session_open(struct session *s, struct fl_err *err)
{
	/* The quick ones first: an exchange with the older groups takes a tenth of a second. */
	static const char kex[] = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,"
				  "diffie-hellman-group16-sha512,diffie-hellman-group14-sha256";
	const char *keys = getenv("SSH_PRIVATE_KEYS");

	s->bind = ssh_bind_new();
	s->ssh = ssh_new();
	s->event = ssh_event_new();
	if (import_host_keys(s->bind, keys != NULL ? keys : "", err) == -1)
		return -1;
	unsetenv("SSH_PRIVATE_KEYS"); /* nothing that we start needs them */
	ssh_bind_options_set(s->bind, SSH_BIND_OPTIONS_KEY_EXCHANGE, kex);
	/* libssh closes the descriptor that it is given; git must not hold it. */
	if (ssh_bind_accept_fd(s->bind, s->ssh, fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) != SSH_OK)
		return fl_err_set(err, FL_ERR_SYSTEM, "take the connection: %s", ssh_get_error(s->bind));
	return 0;
}

static int
login(struct session *s, struct ssh_server_callbacks_struct *callbacks, struct fl_err *err)
{
	ssh_callbacks_init(callbacks);
	ssh_set_server_callbacks(s->ssh, callbacks);
	ssh_set_auth_methods(s->ssh, SSH_AUTH_METHOD_PUBLICKEY);
	if (ssh_handle_key_exchange(s->ssh) != SSH_OK)
		return fl_err_set(err, FL_ERR_DENIED, "key exchange: %s", ssh_get_error(s->ssh));
	ssh_event_add_session(s->event, s->ssh);
	while (s->command == NULL)
		if (ssh_event_dopoll(s->event, -1) == SSH_ERROR)
			return fl_err_set(err, FL_ERR_DENIED, "left before a command: %s", ssh_get_error(s->ssh));
	return 0;
}

/* What the command asks for, or the sentence why not, to the client; the exit status. */
static int
run_command(struct session *s)
{
	char *app = NULL, *path = NULL;
	struct fl_json *record = NULL;
	struct fl_err err;
	int status = 1;

	if ((app = command_parse(s->command, &err)) == NULL)
		goto out;
	path = fl_xasprintf("/apps/%s", app);
	if ((record = cluster_call(&s->cluster, "GET", path, NULL, &err)) == NULL) {
		if (err.kind == FL_ERR_NOT_FOUND)
			fl_err_set(&err, FL_ERR_NOT_FOUND, "Unknown app \"%s\": make it with flynn create %s, then push again.", app, app);
		goto out;
	}
	fl_log_info("push", fl_str("app", app));
	status = receive_run(&s->cluster, fl_json_str(fl_json_get(record, "id"), app),
	    fl_json_str(fl_json_get(record, "name"), app), s->ssh, s->event, s->channel);
out:
	if (app == NULL || record == NULL) {
		ssh_channel_write_stderr(s->channel, err.msg, (uint32_t)strlen(err.msg));
		ssh_channel_write_stderr(s->channel, "\n", 1);
	}
	fl_json_free(record);
	free(app);
	free(path);
	return status;
}

/* The client leaves first, once it has all: who hangs up on it makes it complain. */
static void
say_goodbye(struct session *s, int status)
{
	int64_t until = fl_clock_ms() + GOODBYE_MS;

	if (!ssh_channel_is_open(s->channel))
		return;
	ssh_channel_request_send_exit_status(s->channel, status);
	ssh_channel_send_eof(s->channel);
	ssh_channel_close(s->channel);
	while (ssh_is_connected(s->ssh) && fl_clock_ms() < until)
		if (ssh_event_dopoll(s->event, GOODBYE_MS) == SSH_ERROR)
			break;
}

static void
session_release(struct session *s)
{
	if (s->channel != NULL)
		ssh_channel_free(s->channel);
	ssh_event_free(s->event);
	ssh_disconnect(s->ssh);
	ssh_free(s->ssh);
	ssh_bind_free(s->bind);
	cluster_release(&s->cluster);
	free(s->command);
}

int
session_main(void)
{
	struct session s = { 0 };
	struct ssh_server_callbacks_struct callbacks = {
		.userdata = &s, .auth_pubkey_function = on_pubkey, .channel_open_request_session_function = on_channel
	};
	struct fl_err err;
	int status = EXIT_FAILURE;

	fl_log_init("gitreceive");
	signal(SIGPIPE, SIG_IGN);
	alarm(LOGIN_S);
	if (privileges_shed(getenv("SESSION_USER"), &err) == -1) {
		fl_log_error("cannot shed privileges", fl_str("err", err.msg));
		return status;
	}
	ssh_init();
	cluster_read(&s.cluster);
	if (session_open(&s, &err) == 0 && login(&s, &callbacks, &err) == 0) {
		alarm(0); /* from here on the build has its own limit */
		dup2(STDERR_FILENO, STDOUT_FILENO); /* listener.h: logged in */
		status = run_command(&s);
		say_goodbye(&s, status);
		alarm(REMOVE_S);
		repository_remove_deleted(&s.cluster);
	} else {
		fl_log_info("no command came", fl_str("err", err.msg));
	}
	session_release(&s);
	ssh_finalize();
	return status;
}
