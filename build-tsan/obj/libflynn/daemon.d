build-tsan/obj/libflynn/daemon.o: libflynn/daemon.c libflynn/daemon.h \
 libflynn/attr.h libflynn/log.h libflynn/xmalloc.h libflynn/attr.h
libflynn/daemon.h:
libflynn/attr.h:
libflynn/log.h:
libflynn/xmalloc.h:
libflynn/attr.h:
