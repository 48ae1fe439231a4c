build-tsan/obj/router/reclaim.o: router/reclaim.c router/reclaim.h \
 libflynn/attr.h libflynn/list.h libflynn/xmalloc.h libflynn/attr.h
router/reclaim.h:
libflynn/attr.h:
libflynn/list.h:
libflynn/xmalloc.h:
libflynn/attr.h:
