build-tsan/obj/libflynn/pg.o: libflynn/pg.c libflynn/pg.h \
 /usr/include/postgresql/libpq-fe.h \
 /usr/include/postgresql/postgres_ext.h \
 /usr/include/postgresql/pg_config_ext.h libflynn/attr.h libflynn/clock.h \
 libflynn/err.h libflynn/attr.h libflynn/log.h libflynn/pg_internal.h \
 libflynn/list.h libflynn/retry.h libflynn/xmalloc.h
libflynn/pg.h:
/usr/include/postgresql/libpq-fe.h:
/usr/include/postgresql/postgres_ext.h:
/usr/include/postgresql/pg_config_ext.h:
libflynn/attr.h:
libflynn/clock.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/log.h:
libflynn/pg_internal.h:
libflynn/list.h:
libflynn/retry.h:
libflynn/xmalloc.h:
