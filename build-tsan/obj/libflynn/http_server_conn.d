build-tsan/obj/libflynn/http_server_conn.o: libflynn/http_server_conn.c \
 libflynn/attr.h libflynn/http_server_internal.h libflynn/buf.h \
 libflynn/attr.h libflynn/err.h libflynn/http_parse.h \
 libflynn/http_server.h libflynn/list.h libflynn/log.h libflynn/xmalloc.h
libflynn/attr.h:
libflynn/http_server_internal.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/http_parse.h:
libflynn/http_server.h:
libflynn/list.h:
libflynn/log.h:
libflynn/xmalloc.h:
