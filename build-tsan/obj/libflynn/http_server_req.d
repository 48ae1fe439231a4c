build-tsan/obj/libflynn/http_server_req.o: libflynn/http_server_req.c \
 libflynn/attr.h libflynn/clock.h libflynn/err.h libflynn/attr.h \
 libflynn/http_server_internal.h libflynn/buf.h libflynn/http_parse.h \
 libflynn/http_server.h libflynn/list.h libflynn/json.h libflynn/map.h \
 libflynn/url.h libflynn/uuid.h libflynn/xmalloc.h
libflynn/attr.h:
libflynn/clock.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/http_server_internal.h:
libflynn/buf.h:
libflynn/http_parse.h:
libflynn/http_server.h:
libflynn/list.h:
libflynn/json.h:
libflynn/map.h:
libflynn/url.h:
libflynn/uuid.h:
libflynn/xmalloc.h:
