build-tsan/obj/router/listener.o: router/listener.c router/listener.h \
 libflynn/list.h router/io.h router/timer.h libflynn/attr.h \
 libflynn/err.h libflynn/attr.h libflynn/log.h libflynn/url.h \
 libflynn/xmalloc.h router/client.h router/worker.h router/block.h \
 router/pipe.h router/complaint.h
router/listener.h:
libflynn/list.h:
router/io.h:
router/timer.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/log.h:
libflynn/url.h:
libflynn/xmalloc.h:
router/client.h:
router/worker.h:
router/block.h:
router/pipe.h:
router/complaint.h:
