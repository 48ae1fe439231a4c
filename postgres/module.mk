# flynn-postgres: the appliance beside PostgreSQL that makes databases.
$(call program,flynn-postgres,postgres/main.c)
