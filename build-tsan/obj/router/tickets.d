build-tsan/obj/router/tickets.o: router/tickets.c router/tickets.h \
 libflynn/attr.h libflynn/base64.h libflynn/clock.h libflynn/err.h \
 libflynn/attr.h libflynn/etcd.h libflynn/log.h libflynn/random.h \
 libflynn/xmalloc.h router/plane.h router/reclaim.h
router/tickets.h:
libflynn/attr.h:
libflynn/base64.h:
libflynn/clock.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/etcd.h:
libflynn/log.h:
libflynn/random.h:
libflynn/xmalloc.h:
router/plane.h:
router/reclaim.h:
