build-tsan/obj/libflynn/random.o: libflynn/random.c libflynn/random.h \
 libflynn/base64.h libflynn/xmalloc.h libflynn/attr.h
libflynn/random.h:
libflynn/base64.h:
libflynn/xmalloc.h:
libflynn/attr.h:
