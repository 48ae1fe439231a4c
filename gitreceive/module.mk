# flynn-gitreceive: SSH in, a process a connection.
$(call program,flynn-gitreceive,gitreceive/main.c,libssh libgit2 libarchive)
