build-tsan/obj/libflynn/args.o: libflynn/args.c libflynn/args.h \
 libflynn/err.h libflynn/attr.h libflynn/xmalloc.h
libflynn/args.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/xmalloc.h:
