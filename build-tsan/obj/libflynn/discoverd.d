build-tsan/obj/libflynn/discoverd.o: libflynn/discoverd.c \
 libflynn/discoverd.h libflynn/discoverd_internal.h libflynn/list.h \
 libflynn/retry.h libflynn/http_client.h libflynn/xmalloc.h \
 libflynn/attr.h
libflynn/discoverd.h:
libflynn/discoverd_internal.h:
libflynn/list.h:
libflynn/retry.h:
libflynn/http_client.h:
libflynn/xmalloc.h:
libflynn/attr.h:
