build-tsan/obj/router/requests.o: router/requests.c router/requests.h \
 libflynn/attr.h libflynn/buf.h libflynn/attr.h libflynn/clock.h \
 libflynn/err.h libflynn/http_server.h libflynn/list.h libflynn/log.h \
 libflynn/xmalloc.h router/filter.h router/record.h libflynn/http_parse.h \
 router/journal.h router/ring.h router/route.h router/router.h \
 router/access_log.h router/plane.h router/worker.h router/block.h \
 router/pipe.h router/complaint.h router/io.h router/timer.h \
 router/sync.h router/tally.h
router/requests.h:
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/clock.h:
libflynn/err.h:
libflynn/http_server.h:
libflynn/list.h:
libflynn/log.h:
libflynn/xmalloc.h:
router/filter.h:
router/record.h:
libflynn/http_parse.h:
router/journal.h:
router/ring.h:
router/route.h:
router/router.h:
router/access_log.h:
router/plane.h:
router/worker.h:
router/block.h:
router/pipe.h:
router/complaint.h:
router/io.h:
router/timer.h:
router/sync.h:
router/tally.h:
