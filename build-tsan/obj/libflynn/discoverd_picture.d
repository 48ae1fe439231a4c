build-tsan/obj/libflynn/discoverd_picture.o: libflynn/discoverd_picture.c \
 libflynn/discoverd_internal.h libflynn/discoverd.h libflynn/list.h \
 libflynn/retry.h libflynn/xmalloc.h libflynn/attr.h
libflynn/discoverd_internal.h:
libflynn/discoverd.h:
libflynn/list.h:
libflynn/retry.h:
libflynn/xmalloc.h:
libflynn/attr.h:
