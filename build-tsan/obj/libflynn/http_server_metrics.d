build-tsan/obj/libflynn/http_server_metrics.o: \
 libflynn/http_server_metrics.c libflynn/attr.h \
 libflynn/http_server_internal.h libflynn/buf.h libflynn/attr.h \
 libflynn/err.h libflynn/http_parse.h libflynn/http_server.h \
 libflynn/list.h
libflynn/attr.h:
libflynn/http_server_internal.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/http_parse.h:
libflynn/http_server.h:
libflynn/list.h:
