build-tsan/obj/libflynn/xmalloc.o: libflynn/xmalloc.c libflynn/xmalloc.h \
 libflynn/attr.h
libflynn/xmalloc.h:
libflynn/attr.h:
