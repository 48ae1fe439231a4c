build-tsan/obj/libflynn/sse_client.o: libflynn/sse_client.c \
 libflynn/sse_client.h libflynn/attr.h libflynn/err.h libflynn/attr.h \
 libflynn/http_client.h libflynn/retry.h libflynn/sse.h \
 libflynn/xmalloc.h
libflynn/sse_client.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/http_client.h:
libflynn/retry.h:
libflynn/sse.h:
libflynn/xmalloc.h:
