build-tsan/obj/router/api.o: router/api.c router/api.h libflynn/attr.h \
 libflynn/buf.h libflynn/attr.h libflynn/err.h libflynn/etcd.h \
 libflynn/http_server.h libflynn/json.h libflynn/list.h libflynn/log.h \
 libflynn/random.h libflynn/xmalloc.h router/listener.h router/io.h \
 router/timer.h router/requests.h router/route.h router/router.h \
 router/access_log.h router/plane.h router/worker.h router/block.h \
 router/pipe.h router/complaint.h router/sync.h router/tls.h
router/api.h:
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/etcd.h:
libflynn/http_server.h:
libflynn/json.h:
libflynn/list.h:
libflynn/log.h:
libflynn/random.h:
libflynn/xmalloc.h:
router/listener.h:
router/io.h:
router/timer.h:
router/requests.h:
router/route.h:
router/router.h:
router/access_log.h:
router/plane.h:
router/worker.h:
router/block.h:
router/pipe.h:
router/complaint.h:
router/sync.h:
router/tls.h:
