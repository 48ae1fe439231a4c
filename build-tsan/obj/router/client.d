build-tsan/obj/router/client.o: router/client.c router/client.h \
 libflynn/list.h router/io.h router/timer.h libflynn/attr.h \
 libflynn/err.h libflynn/attr.h libflynn/http_parse.h libflynn/xmalloc.h \
 router/block.h router/pipe.h router/exchange.h router/h2.h \
 router/listener.h router/plane.h router/proxied.h router/worker.h \
 router/complaint.h
router/client.h:
libflynn/list.h:
router/io.h:
router/timer.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/http_parse.h:
libflynn/xmalloc.h:
router/block.h:
router/pipe.h:
router/exchange.h:
router/h2.h:
router/listener.h:
router/plane.h:
router/proxied.h:
router/worker.h:
router/complaint.h:
