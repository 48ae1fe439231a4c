# flynn-slugbuilder: source tar in, slug out; flynn-slugrunner: slug in, one process out.
# Static: the runner is in the way of every start of an app, and loads no library it does not use.
$(call program,flynn-slugbuilder,slugbuilder/main.c,libzstd libarchive,static)
$(call program,flynn-slugrunner,slugbuilder/runner_main.c,libzstd libarchive,static)
