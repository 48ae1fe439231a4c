build-tsan/obj/router/upstream.o: router/upstream.c router/upstream.h \
 libflynn/list.h router/io.h router/timer.h libflynn/attr.h \
 libflynn/xmalloc.h libflynn/attr.h router/backend.h router/client.h \
 router/worker.h router/block.h router/pipe.h router/complaint.h
router/upstream.h:
libflynn/list.h:
router/io.h:
router/timer.h:
libflynn/attr.h:
libflynn/xmalloc.h:
libflynn/attr.h:
router/backend.h:
router/client.h:
router/worker.h:
router/block.h:
router/pipe.h:
router/complaint.h:
