build-tsan/obj/libflynn/url.o: libflynn/url.c libflynn/url.h \
 libflynn/buf.h libflynn/attr.h libflynn/err.h libflynn/xmalloc.h
libflynn/url.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/xmalloc.h:
