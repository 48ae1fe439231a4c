# flynn-controller: the API; flynn-scheduler: keeps formations true.
$(call program,flynn-controller,controller/main.c)
$(call program,flynn-scheduler,controller/scheduler_main.c)
