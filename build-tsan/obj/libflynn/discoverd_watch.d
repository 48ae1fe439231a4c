build-tsan/obj/libflynn/discoverd_watch.o: libflynn/discoverd_watch.c \
 libflynn/attr.h libflynn/discoverd_internal.h libflynn/discoverd.h \
 libflynn/list.h libflynn/retry.h libflynn/err.h libflynn/attr.h \
 libflynn/json.h libflynn/log.h libflynn/sse_client.h libflynn/xmalloc.h
libflynn/attr.h:
libflynn/discoverd_internal.h:
libflynn/discoverd.h:
libflynn/list.h:
libflynn/retry.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/json.h:
libflynn/log.h:
libflynn/sse_client.h:
libflynn/xmalloc.h:
