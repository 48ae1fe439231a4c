build-tsan/obj/libflynn/http_server_reply.o: libflynn/http_server_reply.c \
 libflynn/attr.h libflynn/clock.h libflynn/http_server_internal.h \
 libflynn/buf.h libflynn/attr.h libflynn/err.h libflynn/http_parse.h \
 libflynn/http_server.h libflynn/list.h libflynn/json.h libflynn/log.h \
 libflynn/sse.h
libflynn/attr.h:
libflynn/clock.h:
libflynn/http_server_internal.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/http_parse.h:
libflynn/http_server.h:
libflynn/list.h:
libflynn/json.h:
libflynn/log.h:
libflynn/sse.h:
