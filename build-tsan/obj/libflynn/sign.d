build-tsan/obj/libflynn/sign.o: libflynn/sign.c libflynn/sign.h \
 libflynn/base64.h libflynn/xmalloc.h libflynn/attr.h
libflynn/sign.h:
libflynn/base64.h:
libflynn/xmalloc.h:
libflynn/attr.h:
