build-tsan/obj/libflynn/buf.o: libflynn/buf.c libflynn/buf.h \
 libflynn/attr.h libflynn/xmalloc.h
libflynn/buf.h:
libflynn/attr.h:
libflynn/xmalloc.h:
