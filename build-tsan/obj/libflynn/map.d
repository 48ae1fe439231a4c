build-tsan/obj/libflynn/map.o: libflynn/map.c libflynn/map.h \
 libflynn/xmalloc.h libflynn/attr.h
libflynn/map.h:
libflynn/xmalloc.h:
libflynn/attr.h:
