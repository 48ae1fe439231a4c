build-tsan/obj/libflynn/base64.o: libflynn/base64.c libflynn/base64.h \
 libflynn/err.h libflynn/attr.h libflynn/xmalloc.h
libflynn/base64.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/xmalloc.h:
