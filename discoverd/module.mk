# flynn-discoverd: services, instances, leaders.
$(call program,flynn-discoverd,discoverd/main.c)
