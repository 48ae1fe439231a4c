# flynn-router: HTTP and TCP in, instances out.
$(call program,flynn-router,router/main.c)
