build-tsan/obj/libflynn/sse.o: libflynn/sse.c libflynn/sse.h \
 libflynn/buf.h libflynn/attr.h libflynn/err.h libflynn/xmalloc.h
libflynn/sse.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/xmalloc.h:
