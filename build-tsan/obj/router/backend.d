build-tsan/obj/router/backend.o: router/backend.c router/backend.h \
 libflynn/list.h libflynn/attr.h libflynn/err.h libflynn/attr.h \
 libflynn/log.h libflynn/map.h libflynn/url.h libflynn/xmalloc.h \
 router/reclaim.h
router/backend.h:
libflynn/list.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/log.h:
libflynn/map.h:
libflynn/url.h:
libflynn/xmalloc.h:
router/reclaim.h:
