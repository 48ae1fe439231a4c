build-tsan/obj/router/cidr.o: router/cidr.c router/cidr.h libflynn/err.h \
 libflynn/attr.h libflynn/xmalloc.h
router/cidr.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/xmalloc.h:
