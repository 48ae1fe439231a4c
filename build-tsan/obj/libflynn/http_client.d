build-tsan/obj/libflynn/http_client.o: libflynn/http_client.c \
 libflynn/http_client.h libflynn/attr.h libflynn/clock.h libflynn/err.h \
 libflynn/attr.h libflynn/http_client_internal.h libflynn/buf.h \
 libflynn/list.h libflynn/xmalloc.h
libflynn/http_client.h:
libflynn/attr.h:
libflynn/clock.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/http_client_internal.h:
libflynn/buf.h:
libflynn/list.h:
libflynn/xmalloc.h:
