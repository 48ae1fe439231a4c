build-tsan/obj/libflynn/proc.o: libflynn/proc.c libflynn/proc.h \
 libflynn/attr.h libflynn/err.h libflynn/attr.h libflynn/xmalloc.h
libflynn/proc.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/xmalloc.h:
