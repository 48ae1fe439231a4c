build-tsan/obj/router/sync.o: router/sync.c router/sync.h libflynn/attr.h \
 libflynn/buf.h libflynn/attr.h libflynn/discoverd.h libflynn/err.h \
 libflynn/etcd.h libflynn/json.h libflynn/list.h libflynn/log.h \
 libflynn/map.h libflynn/random.h libflynn/xmalloc.h router/backend.h \
 router/listener.h router/io.h router/timer.h router/plane.h \
 router/reclaim.h router/route.h router/table.h libflynn/http_parse.h \
 router/tally.h router/tls.h router/worker.h router/block.h router/pipe.h \
 router/complaint.h
router/sync.h:
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/discoverd.h:
libflynn/err.h:
libflynn/etcd.h:
libflynn/json.h:
libflynn/list.h:
libflynn/log.h:
libflynn/map.h:
libflynn/random.h:
libflynn/xmalloc.h:
router/backend.h:
router/listener.h:
router/io.h:
router/timer.h:
router/plane.h:
router/reclaim.h:
router/route.h:
router/table.h:
libflynn/http_parse.h:
router/tally.h:
router/tls.h:
router/worker.h:
router/block.h:
router/pipe.h:
router/complaint.h:
