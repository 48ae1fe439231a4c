build-tsan/obj/router/block.o: router/block.c router/block.h \
 router/pipe.h libflynn/attr.h libflynn/xmalloc.h libflynn/attr.h
router/block.h:
router/pipe.h:
libflynn/attr.h:
libflynn/xmalloc.h:
libflynn/attr.h:
