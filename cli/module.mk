# flynn: the command on the developer's machine, one file to copy.
$(call program,flynn,cli/main.c,libgit2,static)
