build-tsan/obj/router/router.o: router/router.c router/router.h \
 router/access_log.h router/plane.h router/worker.h libflynn/list.h \
 router/block.h router/pipe.h router/complaint.h router/io.h \
 router/timer.h libflynn/attr.h libflynn/buf.h libflynn/attr.h \
 libflynn/discoverd.h libflynn/err.h libflynn/etcd.h \
 libflynn/http_server.h libflynn/log.h libflynn/url.h libflynn/xmalloc.h \
 router/api.h router/journal.h router/ring.h router/listener.h \
 router/reclaim.h router/requests.h router/route_metrics.h router/seen.h \
 libflynn/http_parse.h router/record.h router/sync.h router/table.h \
 router/tickets.h router/tls.h
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
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/discoverd.h:
libflynn/err.h:
libflynn/etcd.h:
libflynn/http_server.h:
libflynn/log.h:
libflynn/url.h:
libflynn/xmalloc.h:
router/api.h:
router/journal.h:
router/ring.h:
router/listener.h:
router/reclaim.h:
router/requests.h:
router/route_metrics.h:
router/seen.h:
libflynn/http_parse.h:
router/record.h:
router/sync.h:
router/table.h:
router/tickets.h:
router/tls.h:
