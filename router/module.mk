# flynn-router: HTTP and TCP in, instances out. Static: the fewer libraries are mapped, the less memory it takes.
$(call program,flynn-router,router/main.c,,static)
