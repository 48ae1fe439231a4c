/*
 * command - the one command a session may run: git-receive-pack '/<app>.git'.
 */
#ifndef GITRECEIVE_COMMAND_H
#define GITRECEIVE_COMMAND_H

struct fl_err;

/* The app's name (caller frees), or NULL (INVALID) with the sentence for the user. Takes anything a stranger sends. */
char *command_parse(const char *text, struct fl_err *err);

#endif
