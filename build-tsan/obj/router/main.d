build-tsan/obj/router/main.o: router/main.c libflynn/args.h \
 libflynn/daemon.h libflynn/err.h libflynn/attr.h libflynn/log.h \
 libflynn/xmalloc.h router/cidr.h router/router.h router/access_log.h \
 router/plane.h router/worker.h libflynn/list.h router/block.h \
 router/pipe.h router/complaint.h router/io.h router/timer.h
libflynn/args.h:
libflynn/daemon.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/log.h:
libflynn/xmalloc.h:
router/cidr.h:
router/router.h:
router/access_log.h:
router/plane.h:
router/worker.h:
libflynn/list.h:
router/block.h:
router/pipe.h:
router/complaint.h:
router/io.h:
router/timer.h:
