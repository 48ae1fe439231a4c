build-tsan/obj/libflynn/relay.o: libflynn/relay.c libflynn/relay.h \
 libflynn/attr.h libflynn/xmalloc.h libflynn/attr.h
libflynn/relay.h:
libflynn/attr.h:
libflynn/xmalloc.h:
libflynn/attr.h:
