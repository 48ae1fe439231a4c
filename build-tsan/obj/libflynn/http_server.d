build-tsan/obj/libflynn/http_server.o: libflynn/http_server.c \
 libflynn/http_server.h libflynn/attr.h libflynn/attr.h libflynn/err.h \
 libflynn/http_server_internal.h libflynn/buf.h libflynn/http_parse.h \
 libflynn/list.h libflynn/json.h libflynn/log.h libflynn/sign.h \
 libflynn/url.h libflynn/xmalloc.h
libflynn/http_server.h:
libflynn/attr.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/http_server_internal.h:
libflynn/buf.h:
libflynn/http_parse.h:
libflynn/list.h:
libflynn/json.h:
libflynn/log.h:
libflynn/sign.h:
libflynn/url.h:
libflynn/xmalloc.h:
