build-tsan/obj/router/route_metrics.o: router/route_metrics.c \
 router/route_metrics.h libflynn/buf.h libflynn/attr.h libflynn/xmalloc.h \
 router/route.h router/sync.h router/tally.h
router/route_metrics.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/xmalloc.h:
router/route.h:
router/sync.h:
router/tally.h:
