build-tsan/obj/router/pipe.o: router/pipe.c router/pipe.h \
 libflynn/xmalloc.h libflynn/attr.h
router/pipe.h:
libflynn/xmalloc.h:
libflynn/attr.h:
