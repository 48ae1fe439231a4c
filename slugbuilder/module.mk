# flynn-slugbuilder: source tar in, slug out; flynn-slugrunner: slug in, one process out.
$(call program,flynn-slugbuilder,slugbuilder/main.c,libzstd libarchive)
$(call program,flynn-slugrunner,slugbuilder/runner_main.c,libzstd libarchive)
