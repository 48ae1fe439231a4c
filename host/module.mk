# flynn-host: the jobs of one machine.
$(call program,flynn-host,host/main.c)
