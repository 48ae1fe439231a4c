build-tsan/obj/libflynn/pg_tx.o: libflynn/pg_tx.c libflynn/attr.h \
 libflynn/err.h libflynn/attr.h libflynn/pg_internal.h libflynn/list.h \
 libflynn/pg.h /usr/include/postgresql/libpq-fe.h \
 /usr/include/postgresql/postgres_ext.h \
 /usr/include/postgresql/pg_config_ext.h libflynn/retry.h \
 libflynn/xmalloc.h
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/pg_internal.h:
libflynn/list.h:
libflynn/pg.h:
/usr/include/postgresql/libpq-fe.h:
/usr/include/postgresql/postgres_ext.h:
/usr/include/postgresql/pg_config_ext.h:
libflynn/retry.h:
libflynn/xmalloc.h:
