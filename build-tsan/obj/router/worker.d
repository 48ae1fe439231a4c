build-tsan/obj/router/worker.o: router/worker.c router/worker.h \
 libflynn/list.h router/block.h router/pipe.h router/complaint.h \
 router/io.h router/timer.h libflynn/attr.h libflynn/clock.h \
 libflynn/err.h libflynn/attr.h libflynn/log.h libflynn/random.h \
 libflynn/xmalloc.h router/backend.h router/client.h router/h2.h \
 libflynn/http_parse.h router/listener.h router/plane.h router/reclaim.h \
 router/seen.h router/record.h router/upstream.h
router/worker.h:
libflynn/list.h:
router/block.h:
router/pipe.h:
router/complaint.h:
router/io.h:
router/timer.h:
libflynn/attr.h:
libflynn/clock.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/log.h:
libflynn/random.h:
libflynn/xmalloc.h:
router/backend.h:
router/client.h:
router/h2.h:
libflynn/http_parse.h:
router/listener.h:
router/plane.h:
router/reclaim.h:
router/seen.h:
router/record.h:
router/upstream.h:
