# flynn-shelf: files over HTTP.
$(call program,flynn-shelf,shelf/main.c)
